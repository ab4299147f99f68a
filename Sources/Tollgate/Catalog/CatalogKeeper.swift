import Ledger
import Locks
import Storage
import Synchronization

/// Holds the catalog in force, and what plans promised under the earlier ones. A new one is on the disk before it counts,
/// and counts before the directory's generation grows: who is let in after that is let in under it.
package final class CatalogKeeper: Sendable {
    private struct Contents: Sendable {
        var current: CatalogInForce
        /// The oldest first; the last one is the one in force. None before a catalog was applied.
        var history: [AppliedPlans] = []
    }

    private let directory: Directory
    private let contents: Protected<Contents>
    private let changes = Atomic<UInt64>(0)

    /// The newest catalog that was applied, or the built-in one where none was.
    ///
    /// - Parameter json: is put in force first, where it is not already.
    package init(directory: Directory, applying json: [UInt8]? = nil, at now: Instant) throws(CatalogChangeError) {
        self.directory = directory
        if let json { _ = try Self.apply(json, to: directory, at: now) { _, _, _ in } }
        let records = directory.catalogs()
        var contents = Contents(current: CatalogInForce(.builtIn, ReadyPrices(.builtIn)))
        if let newest = records.last {
            let catalog = try Self.checked(newest.json)
            contents.current = CatalogInForce(catalog, ReadyPrices(catalog), newest)
            contents.history = records.dropLast().map { AppliedPlans($0) }
            contents.history.append(AppliedPlans(newest, contents.current.catalog.plans))
        }
        self.contents = Protected(contents)
    }

    /// The catalog in force.
    package var current: CatalogInForce { contents.withLock { $0.current } }

    /// Grows with every change.
    package var generation: UInt64 { changes.load(ordering: .acquiring) }

    /// Checks a catalog whole and puts it in force from a moment on.
    ///
    /// - Returns: its number; `isNew` is false where it was in force already.
    package func apply(_ json: [UInt8], at now: Instant) throws(CatalogChangeError) -> (version: Int64, isNew: Bool) {
        try Self.apply(json, to: directory, at: now) { publish($0, $1, $2) }
    }

    /// Checks a catalog and stores it.
    private static func apply(
        _ json: [UInt8], to directory: Directory, at now: Instant,
        publish: (Catalog, ReadyPrices, _ kept: [CatalogRecord]) -> Void
    ) throws(CatalogChangeError) -> (version: Int64, isNew: Bool) {
        let catalog = try checked(json)
        let prices = ReadyPrices(catalog)
        do throws(StorageError) {
            let applied = try directory.applyCatalog(json, at: now) { kept in publish(catalog, prices, kept) }
            return (applied.catalog.version, applied.isNew)
        } catch {
            throw .storage(error)
        }
    }

    /// Says what is wrong in a catalog, and changes nothing.
    package static func check(_ json: [UInt8]) throws(CatalogChangeError) {
        _ = try checked(json)
    }

    private static func checked(_ json: [UInt8]) throws(CatalogChangeError) -> Catalog {
        do throws(CatalogError) {
            return try Catalog(parsing: json)
        } catch {
            throw .catalog(error)
        }
    }

    private func publish(_ catalog: Catalog, _ prices: ReadyPrices, _ kept: [CatalogRecord]) {
        let newest = kept[kept.count - 1]
        contents.withLock { contents in
            contents.current = CatalogInForce(catalog, prices, newest)
            contents.history.removeFirst(contents.history.count - (kept.count - 1))
            contents.history.append(AppliedPlans(newest, catalog.plans))
        }
        changes.add(1, ordering: .releasing)
    }

    /// What a plan promised at a moment: under the catalog that held then, or under the oldest one that is known. Before any
    /// was applied there were no plans.
    func terms(of plan: String, at instant: Instant) -> PlanTerms? {
        let history = contents.withLock { $0.history }
        guard let held = history.last(where: { $0.appliedAt <= instant }) ?? history.first?.ifOlderOnesAreGone
        else { return nil }
        return held.plans[plan]
    }
}

/// What the plans of an applied catalog promise. Those of one that is not in force are read when they are first asked for.
private final class AppliedPlans: Sendable {
    let appliedAt: Instant
    private let version: Int64
    private let json: [UInt8]
    private let read: Protected<[String: PlanTerms]?>

    init(_ record: CatalogRecord, _ plans: [String: PlanTerms]? = nil) {
        appliedAt = record.appliedAt
        version = record.version
        json = record.json
        read = Protected(plans)
    }

    /// What was checked when it was applied is not refused later.
    var plans: [String: PlanTerms] {
        read.withLock { read in
            if let read { return read }
            let plans = (try? JSONParser.parse(json)).map { root in
                var reader = CatalogReader()
                return reader.catalog(root).plans
            }
            read = plans ?? [:]
            return plans ?? [:]
        }
    }

    /// Of the oldest that is known: itself, where there were older ones.
    var ifOlderOnesAreGone: AppliedPlans? { version > 1 ? self : nil }
}
