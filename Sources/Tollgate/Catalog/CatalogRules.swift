import Foundation
import Ledger
import Locks

/// What the core must be told: time zones by the system's database, and the plans of the catalogs as they held.
package final class CatalogRules: BookRules {
    private struct Zones: Sendable {
        /// The one that was asked for last.
        var recent: (name: String, zone: TimeZone)?
        var all: [String: TimeZone] = [:]
    }

    private let keeper: CatalogKeeper
    private let zones = Protected(Zones())

    package init(_ keeper: CatalogKeeper) {
        self.keeper = keeper
    }

    package func terms(of plan: String, at instant: Instant) -> PlanTerms? {
        keeper.terms(of: plan, at: instant)
    }

    package func offsetSeconds(of zone: String, at instant: Instant) -> Int64 {
        // Offsets change at whole seconds; a fraction of one would be rounded on its way.
        let (seconds, rest) = instant.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let date = Date(timeIntervalSince1970: Double(rest < 0 ? seconds - 1 : seconds))
        return Int64(timeZone(zone).secondsFromGMT(for: date))
    }

    private func timeZone(_ name: String) -> TimeZone {
        zones.withLock { zones in
            if let recent = zones.recent, recent.name == name { return recent.zone }
            let zone = zones.all[name] ?? TimeZone(identifier: name) ?? .gmt
            if zones.all.count >= Limits.maxRememberedTimeZones { zones.all.removeAll() }
            zones.all[name] = zone
            zones.recent = (name, zone)
            return zone
        }
    }
}
