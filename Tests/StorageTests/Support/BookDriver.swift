import Ledger
import SeededRandom
import Storage

/// A tenant's book driven by random commands, as an engine would: what it journaled, what it answered, and the flushes.
struct BookDriver: ~Copyable {
    let tenant: TenantID
    var random: SeededRandom
    var state = LedgerState()
    /// All entries of the book, refusals left out.
    private(set) var entries: [Entry] = []
    private(set) var refusals: [Entry] = []
    /// What must be remembered under each key.
    private(set) var steps: [StepKey: RecordedStep] = [:]
    private(set) var reservations: [StepID] = []
    private var pending: [Entry] = []
    private(set) var position: UInt64 = 0
    var now = Instant(microseconds: 1_767_225_600_000_000)

    static let price = FeaturePrice(
        feature: "chat",
        units: [UnitPrice(unit: "in", amountMicros: 3, per: 10), UnitPrice(unit: "out", amountMicros: 5, per: 1)])

    init(tenant: TenantID, seed: UInt64) {
        self.tenant = tenant
        random = SeededRandom(seed: seed)
    }

    /// Does random steps and flushes them in random portions.
    mutating func run(steps: Int, into store: ShardStore, maxFlush: Int = 40) throws {
        for _ in 0..<steps {
            now.microseconds += .random(in: 0...90_000_000, using: &random)
            step(randomCommand())
            if Int.random(in: 0..<maxFlush, using: &random) == 0 { try flush(into: store) }
        }
        try flush(into: store)
    }

    mutating func flush(into store: ShardStore) throws {
        guard !pending.isEmpty else { return }
        try store.apply(tenant, entries: pending, through: position)
        pending = []
    }

    /// What was decided since the last flush, for those who write it themselves.
    mutating func takePending() -> [Entry] {
        defer { pending = [] }
        return pending
    }

    mutating func step(_ command: Command) {
        let settled = state.settle(at: now)
        record(settled)
        let decision = state.decide(command, at: now)
        for entry in decision.entries { state.evolve(entry) }
        record(Array(decision.entries))
        guard !decision.replayed, let key = command.key else { return }
        switch decision.outcome {
        case .success:
            steps[key] = RecordedStep(fingerprint: command.fingerprint, at: now, outcome: decision.outcome)
        case .failure(let refusal):
            if refusal.isRemembered {
                steps[key] = RecordedStep(fingerprint: command.fingerprint, at: now, outcome: decision.outcome)
            }
        }
    }

    private mutating func record(_ new: [Entry]) {
        for entry in new {
            if entry.kind == .refusal { refusals.append(entry) } else { entries.append(entry) }
            if case .opening = entry.detail { reservations.append(entry.reservation) }
        }
        pending += new
        if !new.isEmpty { position += 1 }
    }

    // MARK: - Commands

    private mutating func number(_ range: ClosedRange<Int64>) -> Int64 { .random(in: range, using: &random) }

    mutating func newID() -> StepID {
        let other = random.next() % 16 == 0
        let milliseconds = UInt64(now.microseconds / 1_000)
        let version: UInt64 = other ? 0x4000 : 0x7000
        return StepID(
            high: (other ? random.next() << 16 : milliseconds << 16) | version | random.next() & 0xFFF,
            low: random.next() >> 2 | 1 << 63)
    }

    private mutating func someReservation() -> StepID {
        guard !reservations.isEmpty, random.next() % 20 != 0 else { return newID() }
        let recent = reservations.suffix(30)
        return recent[recent.startIndex + Int(random.next() % UInt64(recent.count))]
    }

    private mutating func ask() -> Ask {
        if random.next() % 3 == 0 { return .amount(number(1...3_000)) }
        let quantities = [
            Quantity(unit: "in", count: number(0...2_000)), Quantity(unit: "out", count: number(0...300)),
        ]
        return .quantities(quantities, quality: .medium, price: PriceSchedule(Self.price))
    }

    private mutating func reserve() -> ReserveCommand {
        ReserveCommand(
            id: newID(), fingerprint: random.next(), ask: ask(),
            minimumMicros: random.next() % 4 == 0 ? 1 : nil, ttlMicroseconds: number(1_000_000...1_200_000_000),
            feature: "chat", actor: "user-\(random.next() % 5)", comment: random.next() % 8 == 0 ? "a comment" : "",
            labels: random.next() % 8 == 0 ? [Label(key: "job", value: "\(random.next() % 100)")] : [])
    }

    private mutating func commitAsk() -> Ask {
        if random.next() % 3 == 0 { return .amount(number(1...3_000)) }
        return .quantities([Quantity(unit: "out", count: number(0...400))], quality: .medium, price: nil)
    }

    mutating func randomCommand() -> Command {
        switch random.next() % 20 {
        case 0, 1:
            let expires = random.next() % 2 == 0 ? nil : now.advanced(microseconds: number(1...8_000_000_000))
            let kind = GrantKind.allCases[Int(random.next() % 4)]
            return .grant(
                GrantCommand(
                    id: newID(), fingerprint: random.next(), kind: kind, amountMicros: number(1...20_000),
                    expiresAt: expires, actor: "admin", comment: "pack"))
        case 2..<8: return .reserve(reserve())
        case 8, 9: return .charge(reserve())
        case 10..<14:
            return .commit(
                CommitCommand(
                    reservation: someReservation(), id: random.next() % 4 == 0 ? newID() : nil,
                    fingerprint: random.next(), ask: commitAsk(), comment: "done"))
        case 14, 15:
            return .commit(
                CommitCommand(
                    reservation: someReservation(), id: random.next() % 2 == 0 ? newID() : nil,
                    fingerprint: random.next(), ask: commitAsk(), partial: true))
        case 16: return .release(ReleaseCommand(reservation: someReservation(), fingerprint: 5, reason: "failed"))
        case 17, 18:
            return .refund(
                RefundCommand(
                    id: newID(), reservation: someReservation(), fingerprint: random.next(),
                    amountMicros: random.next() % 2 == 0 ? nil : number(1...500), reason: "sorry"))
        default:
            return .extend(
                ExtendCommand(
                    reservation: someReservation(), id: random.next() % 2 == 0 ? newID() : nil,
                    fingerprint: random.next(), ttlMicroseconds: number(1...3_000_000_000)))
        }
    }
}
