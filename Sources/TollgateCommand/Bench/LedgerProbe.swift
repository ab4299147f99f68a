import Glibc
import Ledger

/// What a reserve and a release cost the core in a book that is new, and in one with a plan, many grants, holds and limits:
/// the same steps in turns on both, the processor's time of this thread alone.
struct LedgerProbe {
    /// How much the larger book has.
    struct Size: Sendable {
        var grants: Int
        var holds: Int
        var limits: Int
    }

    struct Report: Sendable {
        var size: Size
        /// Nanoseconds of a reserve and its release, of each round.
        var fresh: [Double]
        var large: [Double]

        /// Of the medians.
        var ratio: Double { Self.median(large) / Self.median(fresh) }

        static func median(_ values: [Double]) -> Double {
            values.sorted()[values.count / 2]
        }
    }

    private static let stepsPerRound = 20_000
    private static let forgottenAfter = 512
    private static let feature = "chat"
    private static let member = "ann@example.com"

    static func run(_ size: Size, rounds: Int) -> Report {
        var fresh = ProbedBook(Size(grants: 1, holds: 0, limits: 0), plan: nil)
        var large = ProbedBook(size, plan: "plan")
        // Caches and tables take their shape first.
        _ = fresh.round(stepsPerRound)
        _ = large.round(stepsPerRound)
        var report = Report(size: size, fresh: [], large: [])
        for _ in 0..<rounds {
            report.fresh.append(fresh.round(stepsPerRound))
            report.large.append(large.round(stepsPerRound))
        }
        return report
    }

    /// UTC, and one plan with all that a step has to do with.
    private final class ProbedPlan: BookRules {
        func offsetSeconds(of zone: String, at instant: Instant) -> Int64 { 0 }

        func terms(of plan: String, at instant: Instant) -> PlanTerms? {
            var terms = PlanTerms(name: plan)
            terms.allowance = .init(kind: .subscription, amountMicros: 1_000_000_000)
            terms.cycle = .calendarMonth
            terms.overage = .init(capMicros: 1_000_000_000, isBilled: false)
            return terms
        }
    }

    private struct ProbedBook: ~Copyable {
        private let rules = ProbedPlan()
        private var state = LedgerState()
        private var now = Instant(microseconds: 1_800_000_000_000_000)
        private var ids: UInt64 = 0

        init(_ size: Size, plan: String?) {
            if let plan { step(.subscribe(SubscriptionCommand(plan: plan))) }
            for number in 0..<size.grants {
                // Every second one expires, far from now, so that they have an order to be taken in.
                let expiresAt = number % 2 == 0 ? nil : now.advanced(microseconds: Int64(number + 1) * 86_400_000_000)
                step(
                    .grant(
                        GrantCommand(
                            id: nextID(), fingerprint: 1, kind: .purchased, amountMicros: 1_000_000_000,
                            expiresAt: expiresAt)))
            }
            let limits = Self.limits(size.limits)
            if !limits.isEmpty {
                step(
                    .set(
                        SettingCommand(
                            .limits(limits, zone: "UTC", used: [Int64](repeating: 0, count: limits.count)))))
            }
            for number in 0..<size.holds {
                step(.reserve(reserve(1_000, member: "member-\(number % 500)@example.com")))
            }
        }

        /// A quarter of them for the tenant, the feature and the member that are measured, as far as there are windows.
        private static func limits(_ count: Int) -> [UsageLimit] {
            var limits: [UsageLimit] = []
            for window in LimitWindow.allCases {
                limits.append(UsageLimit(scope: .tenant, window: window, hard: .micros(.max / 2)))
                limits.append(
                    UsageLimit(scope: .feature, window: window, feature: feature, hard: .micros(.max / 2)))
                limits.append(UsageLimit(scope: .member, window: window, member: member, hard: .micros(.max / 2)))
                limits.append(
                    UsageLimit(
                        scope: .memberFeature, window: window, member: member, feature: feature,
                        hard: .micros(.max / 2)))
            }
            for number in 0..<max(0, count - limits.count) {
                limits.append(
                    UsageLimit(
                        scope: .member, window: .day, member: "member-\(number)@example.com", hard: .micros(.max / 2)))
            }
            return Array(limits.prefix(count))
        }

        private func reserve(_ id: StepID, _ amount: Int64, member: String) -> ReserveCommand {
            ReserveCommand(
                id: id, fingerprint: 2, ask: .amount(amount), ttlMicroseconds: 7 * 86_400_000_000, feature: feature,
                actor: member)
        }

        private mutating func reserve(_ amount: Int64, member: String) -> ReserveCommand {
            reserve(nextID(), amount, member: member)
        }

        /// A time-ordered one.
        private mutating func nextID() -> StepID {
            ids += 1
            return StepID(high: ids << 16 | 0x7000, low: 0x8000_0000_0000_0000)
        }

        @discardableResult
        private mutating func step(_ command: Command) -> Few<Entry> {
            now = now.advanced(microseconds: 1)
            let decision = state.decide(command, at: now, under: rules)
            state.evolve(decision.entries)
            return decision.entries
        }

        /// - Returns: nanoseconds of one reserve and its release.
        mutating func round(_ steps: Int) -> Double {
            var bytes: [UInt8] = []
            let began = Self.processorNs()
            for _ in 0..<steps {
                let id = nextID()
                for command in [
                    Command.reserve(reserve(id, 1_000, member: member)),
                    .release(ReleaseCommand(reservation: id, fingerprint: 3)),
                ] {
                    bytes.removeAll(keepingCapacity: true)
                    EntryCodec.encodeRecord(step(command), into: &bytes)
                }
            }
            let taken = Self.processorNs() - began
            state.forget(flushedThrough: state.sequence, keep: forgottenAfter)
            return Double(taken) / Double(steps)
        }

        private static func processorNs() -> Int64 {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        }
    }
}
