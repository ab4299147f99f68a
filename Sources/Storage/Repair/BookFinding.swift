/// What a manifest that is made anew is to say of a tenant's book.
enum BookFinding {
    /// The shard is whole, and the journal goes on from it.
    case whole(ShardExtent)
    /// The journal has the book from its first entry, or there never was one: the next server makes the shard.
    case unlisted
    /// The book went at least so far, and what is left of it does not: its tenant is refused until it is restored.
    case lost(ShardExtent, reason: String)

    /// The least that can be said of a book that was there.
    static let someEntry = ShardExtent(position: 0, sequence: 1)

    init(_ remains: ShardRemains, _ trace: JournalTrace) {
        switch remains.file {
        case .whole(let extent):
            if let (reason, end) = Self.contradiction(of: extent, remains, trace) {
                self = .lost(end, reason: reason)
            } else {
                self = .whole(extent)
            }
        case .damaged, .empty, .missing:
            self =
                trace.beginsBook
                ? .unlisted : .lost(Self.least(remains, trace), reason: Self.reason(remains, trace))
        }
    }

    private static func reason(_ remains: ShardRemains, _ trace: JournalTrace) -> String {
        if case .damaged(_, let reason) = remains.file { return reason }
        let file = if case .empty = remains.file { "its file is empty" } else { "its file is missing" }
        if remains.isRestored { return "\(file); a restored one waits beside its place, and is taken at its next call" }
        if remains.setAside != nil { return "\(file): it was set aside before" }
        if trace.trimmedEntries > 0 { return "\(file), and the journal goes on with entry \(trace.trimmedEntries + 1)" }
        return
            "\(file), and the journal does not have what came before its first record: if it ever had a book, that is lost"
    }

    /// Why a book that is whole by itself is not the one that was there last, and how far that one went at least; nil where
    /// nothing says so.
    private static func contradiction(
        of extent: ShardExtent, _ remains: ShardRemains, _ trace: JournalTrace
    ) -> (String, ShardExtent)? {
        let ends = "it ends with entry \(extent.sequence)"
        // A later one took records that this one lacks.
        func older(than sequence: UInt64) -> ShardExtent {
            ShardExtent(position: max(extent.position + 1, remains.setAside?.position ?? 0), sequence: sequence)
        }
        if let last = trace.lastHeld, last != extent.sequence {
            return (
                "\(ends), and the journal's records up to \(extent.position), which it says to hold, with entry \(last)",
                older(than: max(last, extent.sequence))
            )
        }
        if let next = trace.firstBehind, next != extent.sequence + 1 {
            return (
                "\(ends), and the journal goes on with entry \(next): it is an older copy, or lost writes",
                older(than: max(next - 1, extent.sequence))
            )
        }
        if let aside = remains.setAside, aside.sequence > extent.sequence, trace.firstBehind == nil {
            return (
                "\(ends), and a file of it that was set aside with entry \(aside.sequence): it is an older copy",
                older(than: aside.sequence)
            )
        }
        return nil
    }

    /// How far a book went at least: what its files say of themselves, or what the journal was trimmed behind.
    private static func least(_ remains: ShardRemains, _ trace: JournalTrace) -> ShardExtent {
        var least = ShardExtent()
        if case .damaged(let extent?, _) = remains.file { least = extent }
        if let aside = remains.setAside, aside.sequence > least.sequence { least = aside }
        least.sequence = max(least.sequence, trace.trimmedEntries, someEntry.sequence)
        return least
    }
}
