/// Gathers a list page by page, up to the number of entries that was asked for.
struct Listing<Entry> {
    /// What has come so far.
    private(set) var entries: [Entry] = []
    /// Where the next page begins; empty at the first and, once pages have come, after the last.
    private(set) var token = ""
    private let limit: Int
    private var hasBegun = false

    /// A list as long as `--limit` says.
    init(_ arguments: ParsedArguments) throws(CommandError) {
        limit = try arguments.integer(listLimit, in: 1...Limits.listedAtMost) ?? Limits.listed
    }

    /// How many entries the next page should have; nil where nothing more is wanted or there.
    var nextSize: Int32? {
        guard entries.count < limit, !hasBegun || !token.isEmpty else { return nil }
        return Int32(min(Limits.pageSize, limit - entries.count))
    }

    /// Takes a page.
    mutating func add(_ page: [Entry], nextToken: String) {
        entries += page
        token = nextToken
        hasBegun = true
    }

    /// Says that there are more entries than are shown.
    func tellOfRest(_ console: Console) {
        if !token.isEmpty {
            console.message("there are more than these \(grouped(entries.count)): see more with --limit")
        }
    }
}

/// How many entries a list shows.
let listLimit = OptionSpec.value("--limit", "N", "show at most so many", fallback: String(Limits.listed))
