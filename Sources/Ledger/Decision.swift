/// What a step did, to the letter: everything from which its answer is made, the first time and every time after. It passes
/// through many hands on its way to the caller, who share it.
package struct StepAnswer: Equatable, Sendable {
    private final class Fields: Sendable {
        let value: Value

        init(_ value: Value) {
            self.value = value
        }
    }

    private struct Value: Equatable, Sendable {
        let kind: EntryKind
        let at: Instant
        let amount: Int64
        let balance: BalanceAfter
        let reservation: Reservation?
        let grant: Made
    }

    /// By reference: it is large, and most answers have none.
    private enum Made: Equatable, Sendable {
        case none
        indirect case some(Grant)
    }

    private let fields: Fields

    /// The entry of the step itself (a refusal is an error, never an answer).
    package var kind: EntryKind { fields.value.kind }
    package var at: Instant { fields.value.at }
    /// The credits that this step moved: granted, held, charged, given back, refunded.
    package var amount: Int64 { fields.value.amount }
    package var balance: BalanceAfter { fields.value.balance }
    /// The reservation as it stood after the step; nil for a grant.
    package var reservation: Reservation? { fields.value.reservation }
    /// The grant as it was made, less what of it paid overage; nil for everything else.
    package var grant: Grant? {
        if case .some(let grant) = fields.value.grant { grant } else { nil }
    }

    package init(
        kind: EntryKind, at: Instant, amount: Int64, balance: BalanceAfter, reservation: Reservation? = nil,
        grant: Grant? = nil
    ) {
        fields = Fields(
            Value(
                kind: kind, at: at, amount: amount, balance: balance, reservation: reservation,
                grant: grant.map { .some($0) } ?? .none))
    }

    package static func == (a: Self, b: Self) -> Bool {
        a.fields === b.fields || a.fields.value == b.fields.value
    }
}

extension StepAnswer: CustomStringConvertible {
    /// Two answers that are the same read the same.
    package var description: String {
        "(kind: \(kind), at: \(at), amount: \(amount), balance: \(balance), "
            + "reservation: \(reservation.map(String.init(describing:)) ?? "nil"), "
            + "grant: \(grant.map(String.init(describing:)) ?? "nil"))"
    }
}

/// What is remembered under a step's key.
package struct RecordedStep: Equatable, Sendable {
    package var fingerprint: UInt64
    package var at: Instant
    package var outcome: Result<StepAnswer, Refusal>

    package init(fingerprint: UInt64, at: Instant, outcome: Result<StepAnswer, Refusal>) {
        self.fingerprint = fingerprint
        self.at = at
        self.outcome = outcome
    }
}

/// What decide found.
package struct Decision: Sendable {
    /// To be journaled together as one record and then evolved, in order; empty for a replay and for a refusal that is not remembered.
    package var entries: Few<Entry>
    package var outcome: Result<StepAnswer, Refusal>
    /// True where this is the answer of the first time.
    package var replayed: Bool
    /// The audit trail has had its share of refusals for this hour: this one is only counted, by `leaveOut`.
    package var isLeftOut = false

    package init(entries: Few<Entry>, outcome: Result<StepAnswer, Refusal>, replayed: Bool) {
        self.entries = entries
        self.outcome = outcome
        self.replayed = replayed
    }
}

/// What must be looked up in the tenant's shard before a command can be decided, because memory has let go of it.
package struct Recall: Hashable, Sendable {
    package var step: StepKey?
    package var reservation: StepID?

    package init(step: StepKey? = nil, reservation: StepID? = nil) {
        self.step = step
        self.reservation = reservation
    }

    package var isEmpty: Bool { step == nil && reservation == nil }
}

/// What the shard knew. Memory is newer and comes first wherever it knows too.
package struct Recalled: Sendable {
    package var step: RecordedStep?
    package var reservation: Reservation?

    package init(step: RecordedStep? = nil, reservation: Reservation? = nil) {
        self.step = step
        self.reservation = reservation
    }
}
