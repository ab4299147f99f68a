import Protobuf
import RPC
import Tollgate
import TollgateClient

/// `tollgate catalog …`: prices, plans, packs and roles.
enum CatalogCommands {
    private static let file = PositionalSpec(name: "FILE", help: "the catalog, a JSON file")
    private static let checkOnly = OptionSpec.toggle("--check-only", "have the server check it, and change nothing")

    static let check = Subcommand(
        path: ["catalog", "check"], summary: "Checks a catalog file whole; exits 1 where something is wrong in it.",
        details: "Every fault is told with its line and what would be right. No server is needed.",
        positionals: [file],
        work: .blocking { (arguments, console) throws(CommandError) in
            let path = arguments.positionals[0]
            let catalog: Catalog
            do throws(CatalogError) {
                catalog = try Catalog(path: path)
            } catch {
                throw tell(error, console)
            }
            try console.line("\(path) is in order: \(catalog.summary)")
        })

    static let apply = Subcommand(
        path: ["catalog", "apply"], summary: "Puts a catalog in force for all tenants, at once.",
        details: """
            The server checks it whole first; one with a fault changes nothing. What was reserved before keeps
            the prices at which it was made, and running cycles keep what they were given.
            """,
        positionals: [file], options: [checkOnly] + ServerConnection.options,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            let request = try ApplyCatalogRequest.with { (request) throws(CommandError) in
                request.catalogJSON = try contents(of: arguments.positionals[0], console)
                request.checkOnly = arguments.has(checkOnly)
            }
            let answer: ApplyCatalogResponse
            do throws(RPCError) {
                answer = try await AdminClient(connection.channel).applyCatalog(request)
            } catch {
                throw tell(error, console)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            let path = arguments.positionals[0]
            if request.checkOnly {
                return try console.line("\(path) is in order; catalog \(answer.version) is in force")
            }
            try console.line("catalog \(answer.version) is in force" + (answer.applied ? "" : ", as it was before"))
        })

    static let show = Subcommand(
        path: ["catalog", "show"], summary: "Shows the catalog in force.",
        details: "It goes to standard output as it was given; its number and since when it holds to standard error.",
        options: ServerConnection.options,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await AdminClient(channel).getCatalog(GetCatalogRequest())
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            guard answer.version > 0 else {
                return console.message("the built-in catalog is in force: no other was ever applied")
            }
            let text = String(decoding: answer.catalogJSON, as: UTF8.self)
            try console.write(text.hasSuffix("\n") ? text : text + "\n")
            console.message("catalog \(answer.version), in force since \(timeText(answer.applyTime))")
        })

    private static func contents(of path: String, _ console: Console) throws(CommandError) -> [UInt8] {
        do throws(CatalogError) {
            return try Catalog.contents(of: path)
        } catch {
            throw tell(error, console)
        }
    }

    /// Writes each fault on a line of its own.
    private static func tell(_ error: CatalogError, _ console: Console) -> CommandError {
        for line in error.description.split(whereSeparator: \.isNewline) { console.message("tollgate: \(line)") }
        return .reported
    }

    /// The same for the faults that the server found.
    private static func tell(_ error: RPCError, _ console: Console) -> CommandError {
        let faults = error.badRequest?.fieldViolations.filter { $0.field == "catalog_json" } ?? []
        if faults.isEmpty { return .failed(error.sentence) }
        for fault in faults { console.message("tollgate: catalog, \(printable(fault.description))") }
        return .reported
    }
}

extension Catalog {
    /// What it has, counted.
    fileprivate var summary: String {
        func count(_ number: Int, _ one: String) -> String { "\(number) \(one)\(number == 1 ? "" : "s")" }
        return [
            count(features.count, "feature"), count(plans.count, "plan"), count(packs.count, "pack"),
            count(roles.count, "role"),
        ].joined(separator: ", ")
    }
}
