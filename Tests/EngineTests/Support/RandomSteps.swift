import Ledger
import SeededRandom
import Storage

/// The same steps for the same seed, so that a process that did them and died can be asked about them by another.
struct RandomSteps {
    static let tenantCount = 10

    struct Step {
        let tenant: TenantID
        let command: Command
    }

    private var random: SeededRandom
    private let round: Int
    private var number = 0
    private var reservations = [[StepID]](repeating: [], count: tenantCount)
    private(set) var steps: [Step] = []

    /// Every round has ids of its own.
    init(seed: UInt64, round: Int, count: Int) {
        random = SeededRandom(seed: seed &+ UInt64(round))
        self.round = round
        for index in 0..<Self.tenantCount { add(grant(newID(), 20_000), index) }
        while steps.count < count { addAny() }
    }

    private mutating func newID() -> StepID {
        number += 1
        let unique = (round + 1) * 1_000_000 + number
        // Some callers' ids say nothing of their age.
        return Int.random(in: 0..<4, using: &random) == 0 ? randomID(unique) : id(unique)
    }

    private mutating func add(_ command: Command, _ index: Int) {
        steps.append(Step(tenant: tenant(index), command: command))
    }

    private mutating func addAny() {
        let index = Int.random(in: 0..<Self.tenantCount, using: &random)
        let amount = Int64.random(in: 0...60, using: &random)
        let fingerprint = random.next()
        let reservation = reservations[index].randomElement(using: &random) ?? .zero
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<5: addOpening(index, amount, fingerprint)
        case 5..<8:
            add(
                .commit(
                    CommitCommand(
                        reservation: reservation, id: newID(), fingerprint: fingerprint, ask: .amount(amount),
                        partial: amount % 3 == 0)), index)
        case 8: add(.release(ReleaseCommand(reservation: reservation, fingerprint: fingerprint)), index)
        case 9, 10:
            add(
                .refund(
                    RefundCommand(
                        id: newID(), reservation: reservation, fingerprint: fingerprint, amountMicros: amount / 4)),
                index)
        default:
            add(
                .extend(
                    ExtendCommand(
                        reservation: reservation, id: newID(), fingerprint: fingerprint, ttlMicroseconds: 60_000_000)),
                index)
        }
    }

    private mutating func addOpening(_ index: Int, _ amount: Int64, _ fingerprint: UInt64) {
        let id = newID()
        reservations[index].append(id)
        // Some holds end by themselves within the test, most do not.
        let ttl: Int64 = amount % 8 == 0 ? 1_000 : 900_000_000
        let opening = ReserveCommand(
            id: id, fingerprint: fingerprint, ask: .amount(amount), ttlMicroseconds: ttl, feature: "chat", actor: "ada")
        add(amount % 5 == 0 ? .charge(opening) : .reserve(opening), index)
    }
}
