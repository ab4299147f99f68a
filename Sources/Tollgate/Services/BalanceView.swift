import Ledger
import Protobuf
import TollgateSchema

/// What a billing page shows of a balance, made of a tenant's settled state.
///
/// It writes itself: to make the generated message first would cost twice what the rest does.
struct BalanceView: Sendable {
    private struct Kind {
        var available: Int64 = 0
        var held: Int64 = 0
        var nextExpiry: Instant?
    }

    /// How far back use is looked at for the estimate.
    private static let estimateDays: Int64 = 14
    private static let minEstimateDays: Int64 = 3
    private static let dayMicroseconds: Int64 = 24 * 3_600 * 1_000_000

    private let balance: BalanceAfter
    /// By kind of grant, from its raw value 1 on.
    private let kinds: InlineArray<4, Kind>
    private let gaugeMax: Int64
    private let consumedThisMonth: Int64
    private let daysLeft: Int32?
    private let isAIEnabled: Bool
    private let limitState: LimitState
    private let owed: Int64
    /// When the next allowance comes.
    private let refresh: Instant?
    private let asOf: Instant

    init(_ state: borrowing LedgerState, at now: Instant, monthStart: Instant, rules: any BookRules) {
        var kinds = InlineArray<4, Kind>(repeating: Kind())
        var subscribed: Int64 = 0
        var unexpired: Int64 = 0
        for grant in state.grants {
            guard grant.expiresAt.map({ $0 > now }) ?? true else {
                kinds[Int(grant.kind.rawValue) - 1].held += grant.held
                continue
            }
            unexpired += grant.amount
            if grant.kind == .subscription { subscribed += grant.amount }
            let index = Int(grant.kind.rawValue) - 1
            kinds[index].available += grant.available
            kinds[index].held += grant.held
            if grant.available > 0, let expiry = grant.expiresAt {
                kinds[index].nextExpiry = min(kinds[index].nextExpiry ?? expiry, expiry)
            }
        }
        self.kinds = kinds
        balance = state.balance
        gaugeMax = subscribed > 0 ? subscribed : unexpired
        consumedThisMonth = state.consumed(since: monthStart)
        daysLeft = Self.daysLeft(state, available: state.balance.available, at: now)
        isAIEnabled = state.governance.isAIEnabled
        limitState = Self.limitState(state, at: now, rules)
        owed = state.overage.owed
        refresh = state.governance.subscription.flatMap { Self.refresh(of: $0, rules) }
        asOf = now
    }

    /// How use stands against the limits of the tenant as a whole; one on trial refuses nothing.
    private static func limitState(
        _ state: borrowing LedgerState, at now: Instant, _ rules: any BookRules
    ) -> LimitState {
        LimitState(
            state.limitReadings(of: .tenant, at: now, under: rules).map { reading in
                var reading = reading
                if !reading.limit.isEnforced { reading.hardMicros = nil }
                return reading
            })
    }

    /// When the next allowance of subscription credits comes: with the next cycle, where plan and state then give one.
    private static func refresh(of subscription: Ledger.Subscription, _ rules: any BookRules) -> Instant? {
        guard let cycle = subscription.cycle else { return nil }
        var terms = subscription.terms
        if let next = subscription.nextPlan {
            guard !next.isEmpty, let known = rules.terms(of: next, at: cycle.end) else { return nil }
            terms = known
        }
        guard terms.counts.contains(subscription.stateAfterCycle), terms.cycle != nil,
            let allowance = terms.allowance, allowance.kind == .subscription, allowance.amountMicros > 0
        else { return nil }
        return cycle.end
    }

    /// The days that `available` lasts at the pace of the last days; nil where there is too little use to tell from.
    private static func daysLeft(_ state: borrowing LedgerState, available: Int64, at now: Instant) -> Int32? {
        let earliest = now.advanced(microseconds: -estimateDays * dayMicroseconds)
        guard let firstUse = state.usage.first(where: { $0.consumed > 0 && $0.start >= earliest })?.start else {
            return nil
        }
        let spanMicroseconds = now.microseconds - firstUse.microseconds
        guard spanMicroseconds >= minEstimateDays * dayMicroseconds else { return nil }
        let consumed = state.consumed(since: firstUse)
        guard consumed > 0 else { return nil }
        let perDay = Double(consumed) * Double(dayMicroseconds) / Double(spanMicroseconds)
        return Int32(min(Double(available) / perDay, Double(Int32.max)))
    }

    /// Writes the fields of a `tollgate.v1.Balance`.
    func write(to writer: inout WireWriter) {
        let (percent, level) = gauge
        writer.write(unlessZero: balance.available, tag: 8)
        writer.write(unlessZero: balance.held, tag: 16)
        // In the order in which a page shows them.
        for kind in [Ledger.GrantKind.subscription, .purchased, .gifted, .complimentary] { write(kind, to: &writer) }
        writer.write(unlessZero: Int64(percent), tag: 32)
        writer.write(unlessZero: Int64(level.rawValue), tag: 40)
        writer.write(unlessEmpty: level.statusText, tag: 50)
        // A field of its own presence: 0 days are written too.
        if let daysLeft { writer.write(Int32Codec.self, daysLeft, tag: 56) }
        writer.write(unlessZero: consumedThisMonth, tag: 64)
        writer.write(unlessZero: isAIEnabled ? 1 : 0, tag: 72)
        writer.write(unlessZero: Int64(limitState.rawValue), tag: 80)
        writer.write(unlessZero: owed, tag: 96)
        writer.put(asOf, tag: 106)
    }

    /// A `KindBalance`, where there is any of the kind.
    private func write(_ kind: Ledger.GrantKind, to writer: inout WireWriter) {
        let sums = kinds[Int(kind.rawValue) - 1]
        let refresh = kind == .subscription ? refresh : nil
        guard sums.available > 0 || sums.held > 0 || refresh != nil else { return }
        writer.write(nested: 26) { writer in
            writer.write(unlessZero: Int64(kind.rawValue), tag: 8)
            writer.write(unlessZero: sums.available, tag: 16)
            writer.write(unlessZero: sums.held, tag: 24)
            if let expiry = sums.nextExpiry { writer.put(expiry, tag: 34) }
            if let refresh { writer.put(refresh, tag: 42) }
        }
    }

    private var gauge: (percent: Int32, level: BalanceLevel) {
        guard balance.available > 0 else { return (0, .exhausted) }
        let percent = gaugeMax > 0 ? Double(balance.available) * 100 / Double(gaugeMax) : 100
        let level: BalanceLevel =
            switch percent {
            case 75...: .healthy
            case 50...: .moderate
            case 20...: .low
            default: .veryLow
            }
        return (Int32(min(percent, Double(Int32.max))), level)
    }
}

extension BalanceLevel {
    /// The sentence that a billing page shows.
    var statusText: String {
        switch self {
        case .healthy: "Credits healthy"
        case .moderate: "Credits in good shape"
        case .low: "Credits running low"
        case .veryLow: "Credits very low"
        case .exhausted: "No credits remaining"
        default: ""
        }
    }
}
