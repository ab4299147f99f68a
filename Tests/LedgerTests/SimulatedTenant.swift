import Ledger
import SeededRandom
import Testing

/// One tenant's book in the simulation: the state under test, the shard that it can ask, the entries on their way there,
/// and the naive model of what should be.
final class SimulatedTenant {
    private var state = LedgerState()
    private var shard = FakeShard()
    /// Journaled, but not in the shard yet.
    private var pending: [Entry] = []
    private(set) var model = NaiveBook()
    private var now = start
    private var generator: SeededRandom
    /// Every step that was sent, with what it came to the last time it was decided anew.
    private var sent: [(command: Command, outcome: Result<StepAnswer, Refusal>, at: Instant)] = []
    private var opened: [StepID] = []
    private var idCount = 0
    private var sequence: UInt64 = 0
    private var lastAt = Instant.zero
    /// How often each kind of thing was seen, so that a test can show that it met them all.
    private(set) var seen: [String: Int] = [:]

    init(seed: UInt64) {
        generator = SeededRandom(seed: seed)
    }

    // MARK: - One round

    func round() throws {
        advance()
        try settle()
        if generator.chance(12), let old = sent.randomElement(using: &generator) {
            try send(generator.chance(70) ? old.command : old.command.altered(&generator))
        } else {
            try send(newCommand())
        }
        try check()
        if generator.chance(5) { flush() }
        if generator.chance(2) { try restart() }
    }

    private func count(_ what: String) {
        seen[what, default: 0] += 1
    }

    private func advance() {
        let pick = Int.random(in: 0..<100, using: &generator)
        switch pick {
        case 0..<50: now = now.advanced(microseconds: generator.amount(0...second))
        case 50..<75: now = now.advanced(microseconds: generator.amount(0...5 * minute))
        // Exactly when something happens, or a moment before.
        case 75..<92:
            guard let deadline = model.nextDeadline, deadline > now else { return }
            now = deadline.advanced(microseconds: generator.chance(50) ? 0 : -1)
        case 92..<98: now = now.advanced(microseconds: generator.amount(0...3 * hour))
        default: now = now.advanced(microseconds: generator.amount(0...4 * day))
        }
    }

    private func settle() throws {
        let entries = state.settle(at: now)
        let expected = model.settle(at: now)
        let found = entries.map { NaiveBook.End(at: $0.at, kind: $0.kind, amount: $0.amount) }
        try #require(found == expected)
        try journal(entries)
        for entry in entries { count("\(entry.kind)") }
    }

    /// What is journaled survives: number and date go on without a gap, and the bytes say all of it.
    private func journal(_ entries: [Entry]) throws {
        guard !entries.isEmpty else { return }
        var bytes: [UInt8] = []
        EntryCodec.encodeRecord(entries, into: &bytes)
        try #require(try bytes.withUnsafeBytes { try EntryCodec.decodeRecord($0) } == entries)
        for entry in entries where entry.kind != .refusal {
            try #require(entry.sequence == sequence + 1 && entry.at >= lastAt)
            sequence = entry.sequence
            lastAt = entry.at
        }
        pending += entries
    }

    // MARK: - Sending

    private func send(_ command: Command) throws {
        var isRecalled = false
        if let recall = state.recall(for: command) {
            state.adopt(shard.recall(recall), for: recall)
            isRecalled = true
            count("recall")
        }
        let before = state.snapshot()
        let decision = state.decide(command, at: now, recalled: isRecalled)
        try #require(state.snapshot() == before)
        for entry in decision.entries { state.evolve(entry) }
        try journal(Array(decision.entries))
        try judge(command, decision)
    }

    private func judge(_ command: Command, _ decision: Decision) throws {
        let known = command.key.flatMap { key in
            sent.last { $0.command.key == key && isStillBinding($0.outcome) }
        }
        if let known {
            if known.command.fingerprint == command.fingerprint {
                let isOld = now.microseconds - known.at.microseconds > LedgerRules.refusalMemoryMicroseconds
                if decision.replayed || !isRefused(known.outcome) || !isOld {
                    try #require(decision.replayed)
                    try #require(decision.outcome == known.outcome)
                    try #require(decision.entries.isEmpty)
                    return count(isRefused(known.outcome) ? "replayed refusal" : "replayed answer")
                }
            } else if !isNewTry(command, after: known.outcome, at: known.at, decision) {
                try #require(decision.outcome == .failure(.idReused))
                try #require(decision.entries.isEmpty && !decision.replayed)
                return count("id reused")
            }
        }
        try #require(!decision.replayed)
        try compare(decision, model.step(command, at: now), command)
        sent.append((command, decision.outcome, now))
    }

    private func isRefused(_ outcome: Result<StepAnswer, Refusal>) -> Bool { outcome.refusal != nil }

    /// Successes for ever, and refusals that are remembered.
    private func isStillBinding(_ outcome: Result<StepAnswer, Refusal>) -> Bool {
        outcome.refusal?.isRemembered ?? true
    }

    /// Other contents may be a new try after a refusal: of a commit that has no id of its own, or when the refusal is old.
    private func isNewTry(
        _ command: Command, after outcome: Result<StepAnswer, Refusal>, at: Instant, _ decision: Decision
    ) -> Bool {
        guard isRefused(outcome) else { return false }
        if case .commit(let commit) = command, commit.id == nil { return true }
        return now.microseconds - at.microseconds > LedgerRules.refusalMemoryMicroseconds
            && decision.outcome != .failure(.idReused)
    }

    private func compare(
        _ decision: Decision, _ expected: Result<NaiveBook.Expected, Refusal>, _ command: Command
    ) throws {
        switch (decision.outcome, expected) {
        case (.failure(let refusal), .failure(let other)):
            try #require(refusal == other, "\(command)")
            try #require(decision.entries.allSatisfy { $0.kind == .refusal && $0.moves.isEmpty })
            try #require(decision.entries.count == (refusal.isRemembered ? 1 : 0))
            count("\(refusal)".prefix { $0.isLetter }.description)
        case (.success(let answer), .success(let expected)):
            let found = NaiveBook.Expected(
                amount: answer.amount, available: answer.balance.available, held: answer.balance.held)
            try #require(found == expected, "\(command)")
            try #require(decision.entries.last?.kind == answer.kind)
            count(answer.reservation?.progress.late == true ? "late \(answer.kind)" : "\(answer.kind)")
            if answer.kind == .reserve || answer.kind == .charge, let reservation = answer.reservation {
                opened.append(reservation.id)
            }
        default:
            Issue.record("\(command): \(decision.outcome), expected \(expected)")
            throw Mismatch()
        }
    }

    struct Mismatch: Error {}

    // MARK: - Checks

    /// Every invariant of the design, and that book and model say the same.
    private func check() throws {
        let totals = state.totals
        try #require(totals.granted == totals.available + totals.held + totals.consumed + totals.expired)
        try #require(totals.available >= 0 && totals.held >= 0)
        try #require(totals.available == model.available && totals.held == model.held)
        try #require(totals.consumed == model.consumed)
        try #require(state.balance == BalanceAfter(available: model.available, held: model.held))
        for (grant, expected) in zip(state.grants, model.grants) {
            let own = model.chips.filter { $0.grant == grant.number }
            try #require(grant.amount == expected.amount && grant.kind == expected.kind)
            try #require(grant.amount == grant.available + grant.held + grant.consumed + grant.expired)
            try #require(grant.available == own.filter { $0.place == .available }.reduce(0) { $0 + $1.amount })
            try #require(grant.expired == own.filter { $0.place == .expired }.reduce(0) { $0 + $1.amount })
        }
        try #require(state.grants.count == model.grants.count)
        try #require(state.nextDeadline == model.nextDeadline)
        let open = model.holds.filter { $0.state == .open }
        try #require(state.openReservationCount == open.count)
        try #require(Set(state.openReservations().map(\.id)) == Set(open.map(\.id)))
        for hold in model.holds {
            guard let reservation = state.reservation(hold.id) else {
                try #require(hold.state != .open)
                continue
            }
            try checkReservation(reservation, hold)
        }
        let since = start.advanced(microseconds: 15 * minute * generator.amount(0...400))
        if now.microseconds - since.microseconds < 61 * day {
            let used = model.uses.filter { $0.at >= since }.reduce(0) { $0 + $1.amount }
            try #require(state.consumed(since: since) == used)
        }
    }

    private func checkReservation(_ reservation: Reservation, _ hold: NaiveBook.Hold) throws {
        let progress = reservation.progress
        try #require(progress.state == hold.state && progress.late == hold.late)
        try #require(progress.expiresAt == hold.expiresAt && progress.closedAt == hold.closedAt)
        try #require(progress.held == model.sum { $0.place == .held(hold.id) })
        try #require(progress.committed == hold.charged && progress.refunded == hold.refunded)
        for grant in Set(progress.draws.map(\.grant)) {
            let drawn = progress.draws.filter { $0.grant == grant }.reduce(0) { $0 + $1.consumed }
            try #require(drawn == model.sum { $0.grant == grant && $0.place == .consumed(hold.id) })
        }
    }

    // MARK: - Shard and restart

    /// Some of what is pending reaches the shard, and memory may let go of what is there.
    private func flush() {
        let count = Int.random(in: 0...pending.count, using: &generator)
        shard.apply(Array(pending.prefix(count)))
        pending.removeFirst(count)
        state.forget(flushedThrough: shard.sequence, keep: Int.random(in: 0...15, using: &generator))
        self.count("flush")
    }

    /// The state is made again from the shard and what it lacks, and is the same.
    private func restart() throws {
        let snapshot = shard.snapshot()
        try snapshot.check()
        let before = state.snapshot()
        state = LedgerState(restoring: snapshot)
        for entry in pending { state.evolve(entry) }
        try #require(state.snapshot() == before)
        count("restart")
    }

    // MARK: - Commands

    private func newID() -> StepID {
        idCount += 1
        switch Int.random(in: 0..<100, using: &generator) {
        // Time-ordered and late, as from a slow client; not time-ordered; used before in some family.
        case 0..<8: return StepID(high: UInt64(idCount) << 14 & ~0xF000 | 0x7000, low: generator.next())
        case 8..<12: return otherID(idCount)
        case 12..<18: return opened.randomElement(using: &generator) ?? id(idCount)
        default: return id(idCount)
        }
    }

    private func anyReservation() -> StepID {
        let open = model.holds.filter { $0.state == .open }.map(\.id)
        if generator.chance(60), let id = open.randomElement(using: &generator) { return id }
        if generator.chance(95), let id = opened.randomElement(using: &generator) { return id }
        return newID()
    }

    private func newCommand() -> Command {
        let fingerprint = generator.next()
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<9:
            let expiresAt =
                generator.chance(70)
                ? now.advanced(microseconds: minute * generator.amount(1...600)) : nil
            return .grant(
                GrantCommand(
                    id: newID(), fingerprint: fingerprint, kind: .allCases.randomElement(using: &generator)!,
                    amountMicros: generator.amount(1...60), expiresAt: expiresAt))
        case 9..<34: return .reserve(opening(fingerprint))
        case 34..<42: return .charge(opening(fingerprint))
        case 42..<70:
            return .commit(
                CommitCommand(
                    reservation: anyReservation(), id: generator.chance(40) ? newID() : nil,
                    fingerprint: fingerprint, ask: ask(priced: nil), partial: generator.chance(35)))
        case 70..<78: return .release(ReleaseCommand(reservation: anyReservation(), fingerprint: fingerprint))
        case 78..<92:
            return .refund(
                RefundCommand(
                    id: newID(), reservation: anyReservation(), fingerprint: fingerprint,
                    amountMicros: generator.chance(60) ? generator.amount(1...12) : nil))
        default:
            return .extend(
                ExtendCommand(
                    reservation: anyReservation(), id: generator.chance(50) ? newID() : nil,
                    fingerprint: fingerprint, ttlMicroseconds: second * generator.amount(1...3_600)))
        }
    }

    private func opening(_ fingerprint: UInt64) -> ReserveCommand {
        ReserveCommand(
            id: newID(), fingerprint: fingerprint, ask: ask(priced: price()),
            minimumMicros: generator.chance(20) ? generator.amount(1...10) : nil,
            ttlMicroseconds: second * generator.amount(1...3_600))
    }

    private func ask(priced price: FeaturePrice?) -> Ask {
        if generator.chance(60) { return .amount(generator.amount(price == nil ? 0...25 : 1...25)) }
        // What has a fixed price needs none.
        var quantities =
            generator.chance(5) ? [] : [Quantity(unit: "input", count: generator.amount(0...40))]
        if generator.chance(50) { quantities.append(Quantity(unit: "output", count: generator.amount(0...40))) }
        return .quantities(
            quantities, quality: Quality(rawValue: UInt8(generator.amount(0...3)))!,
            price: price.map { PriceSchedule($0) })
    }

    private func price() -> FeaturePrice {
        var units = [
            UnitPrice(unit: "input", amountMicros: generator.amount(0...2), per: 3),
            UnitPrice(unit: "output", amountMicros: 1, per: 2),
        ]
        if generator.chance(30) {
            let sizes = [
                PriceTier(name: "small", from: 2, amountMicros: 1, per: 2, minimumMicros: 1, maximumMicros: 6),
                PriceTier(name: "large", from: 20, amountMicros: 1, per: 3, fixedMicros: 2, maximumMicros: 9),
            ]
            units[1] = UnitPrice(unit: "output", tiers: sizes)
        }
        return FeaturePrice(
            feature: generator.chance(50) ? "chat" : "image", units: generator.chance(90) ? units : [units[0]],
            qualityPercent: [100, 50, 100, 250], fixedMicros: generator.chance(30) ? generator.amount(0...3) : nil,
            minimumMicros: generator.chance(20) ? generator.amount(1...5) : 0)
    }
}

extension Command {
    /// The same id with other contents.
    fileprivate func altered(_ generator: inout SeededRandom) -> Command {
        let fingerprint = generator.next()
        switch self {
        case .grant(var command):
            command.fingerprint = fingerprint
            return .grant(command)
        case .reserve(var command), .charge(var command):
            command.fingerprint = fingerprint
            return generator.chance(50) ? .reserve(command) : .charge(command)
        case .commit(var command):
            command.fingerprint = fingerprint
            return .commit(command)
        case .release(var command):
            command.fingerprint = fingerprint
            return .release(command)
        case .refund(var command):
            command.fingerprint = fingerprint
            return .refund(command)
        case .extend(var command):
            command.fingerprint = fingerprint
            return .extend(command)
        case .subscribe, .set, .revoke, .note:
            // They go by their ids alone.
            return self
        }
    }
}
