import Ledger
import Testing

/// Rules with one zone that has daylight saving, by tables of their own.
final class TestRules: BookRules {
    private let plans: [String: PlanTerms]

    init(_ plans: [PlanTerms] = []) {
        self.plans = Dictionary(uniqueKeysWithValues: plans.map { ($0.name, $0) })
    }

    /// "jump": an hour east of UTC, and two hours in the 100 days from day 20,600 (2026-05-27) on, from 23:00 UTC the day
    /// before: the midnight of that day does not exist. It ends at 22:30 UTC, so that a midnight exists twice.
    /// "+5:45" and "UTC" never change.
    func offsetSeconds(of zone: String, at instant: Instant) -> Int64 {
        switch zone {
        case "jump":
            let first = (20_600 * 24 - 1) * 3_600 * second
            let last = (20_700 * 24 * 3_600 - 5_400) * second
            return instant.microseconds >= first && instant.microseconds < last ? 7_200 : 3_600
        case "+5:45": return 20_700
        default: return 0
        }
    }

    func terms(of plan: String, at instant: Instant) -> PlanTerms? { plans[plan] }
}

extension PlanTerms {
    static func monthly(_ name: String = "monthly", _ micros: Int64 = 100) -> PlanTerms {
        var terms = PlanTerms(name: name)
        terms.allowance = .init(kind: .subscription, amountMicros: micros)
        terms.cycle = .calendarMonth
        return terms
    }

    func with(_ change: (inout PlanTerms) -> Void) -> PlanTerms {
        var terms = self
        change(&terms)
        return terms
    }
}

/// A book under rules, driven as an engine does; every entry is kept, and each goes through the codec.
final class GovernedBook {
    var state = LedgerState()
    var now: Instant
    var entries: [Entry] = []
    let rules: TestRules
    private var count = 0

    init(_ plans: [PlanTerms] = [], at now: Instant = moment(2026, 1, 31, hour: 10)) {
        rules = TestRules(plans)
        self.now = now
    }

    func move(to instant: Instant) {
        now = instant
        settle()
    }

    func settle() {
        keep(state.settle(at: now, under: rules))
    }

    private func keep(_ new: [Entry]) {
        for entry in new {
            var bytes: [UInt8] = []
            EntryCodec.encode(entry, into: &bytes)
            let decoded = bytes.withUnsafeBytes { bytes in try? EntryCodec.decode(bytes) }
            #expect(decoded == entry)
        }
        entries += new
    }

    @discardableResult
    func step(_ command: Command) -> Result<StepAnswer, Refusal> {
        settle()
        // What a restored book does not know is in no shard here.
        let recall = state.recall(for: command)
        if let recall { state.adopt(Recalled(), for: recall) }
        let decision = state.decide(command, at: now, under: rules, recalled: recall != nil)
        for entry in decision.entries { state.evolve(entry) }
        if decision.isLeftOut { state.leaveOut() }
        keep(Array(decision.entries))
        return decision.outcome
    }

    func nextID() -> StepID {
        count += 1
        return id(count)
    }

    @discardableResult
    func subscribe(
        _ plan: String? = nil, _ state: SubscriptionState? = nil, zone: String? = nil, atCycleEnd: Bool = false,
        rule: SubscriptionCommand.AllowanceRule = .keep
    ) -> Result<StepAnswer, Refusal> {
        step(
            .subscribe(
                SubscriptionCommand(
                    plan: plan, state: state, zone: zone, isAtCycleEnd: atCycleEnd, allowance: rule,
                    origin: CallOrigin(keyID: "k"), method: "m")))
    }

    @discardableResult
    func grant(_ amount: Int64, _ kind: GrantKind = .purchased) -> StepID {
        let id = nextID()
        step(.grant(GrantCommand(id: id, fingerprint: 1, kind: kind, amountMicros: amount)))
        return id
    }

    @discardableResult
    func reserve(
        _ amount: Int64, minimum: Int64? = nil, feature: String = "", actor: String = "", ttl: Int64 = hour
    ) -> (id: StepID, outcome: Result<StepAnswer, Refusal>) {
        let id = nextID()
        let command = ReserveCommand(
            id: id, fingerprint: 2, ask: .amount(amount), minimumMicros: minimum, ttlMicroseconds: ttl,
            feature: feature, actor: actor)
        return (id, step(.reserve(command)))
    }

    @discardableResult
    func charge(
        _ amount: Int64, feature: String = "", actor: String = ""
    ) -> (id: StepID, outcome: Result<StepAnswer, Refusal>) {
        let id = nextID()
        let command = ReserveCommand(
            id: id, fingerprint: 3, ask: .amount(amount), feature: feature, actor: actor)
        return (id, step(.charge(command)))
    }

    @discardableResult
    func commit(_ reservation: StepID, _ amount: Int64) -> Result<StepAnswer, Refusal> {
        step(.commit(CommitCommand(reservation: reservation, id: nextID(), fingerprint: 4, ask: .amount(amount))))
    }

    @discardableResult
    func release(_ reservation: StepID) -> Result<StepAnswer, Refusal> {
        step(.release(ReleaseCommand(reservation: reservation, fingerprint: 5)))
    }

    @discardableResult
    func refund(_ reservation: StepID, _ amount: Int64? = nil) -> Result<StepAnswer, Refusal> {
        step(
            .refund(
                RefundCommand(id: nextID(), reservation: reservation, fingerprint: 6, amountMicros: amount)))
    }

    @discardableResult
    func limit(_ limits: UsageLimit..., used: [Int64] = []) -> Result<StepAnswer, Refusal> {
        step(.set(SettingCommand(.limits(limits, zone: "UTC", used: used))))
    }

    var balance: BalanceAfter { state.balance }
    var grants: [Grant] { state.grants }
}

/// A moment in UTC.
func moment(_ year: Int64, _ month: Int64, _ day: Int64, hour: Int64 = 0) -> Instant {
    // Days by counting, which is slow and plain.
    var days: Int64 = 0
    func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
    for past in 1970..<year { days += isLeap(past) ? 366 : 365 }
    let lengths: [Int64] = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    for past in 1..<month { days += lengths[Int(past) - 1] }
    return Instant(microseconds: ((days + day - 1) * 24 + hour) * 3_600 * second)
}
