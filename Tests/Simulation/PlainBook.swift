import Ledger

/// What a tenant's journaled records add up to, kept in the plainest way and by none of the product's code: for each grant and
/// each reservation a few sums. Every entry is judged against it before it is added: whether it may be there at all, and
/// whether it says what its step asked for.
struct PlainBook {
    struct PlainGrant {
        var number: UInt32
        var rank: UInt8
        var expiresAt: Instant?
        var amount: Int64
        var available: Int64
        var held: Int64 = 0
        var consumed: Int64 = 0
        var expired: Int64 = 0
        var paid: Int64 = 0
        var isRevoked = false

        /// Grants are drawn in the order of this.
        func precedes(_ other: PlainGrant) -> Bool {
            let own = (expiresAt ?? .distantFuture, rank, number)
            return own < (other.expiresAt ?? .distantFuture, other.rank, other.number)
        }
    }

    struct PlainReservation {
        var state = ReservationState.open
        var expiresAt: Instant
        var openedBy: UInt64
        var held: Int64 = 0
        var charged: Int64 = 0
        var refunded: Int64 = 0
        var unitMicros: Int64?
    }

    /// What the book says under a key: a success, once and for ever, or the refusals before it.
    struct Fact {
        var success: Int?
        var refusals: [Refused] = []
    }

    struct Refused: Equatable {
        var fingerprint: UInt64
        var refusal: Refusal
        var at: Instant
        var position: UInt64
    }

    private(set) var at = Instant.zero
    private(set) var entries: [Entry] = []
    /// The journal's position of each entry.
    private(set) var positions: [UInt64] = []
    private(set) var totals: [BookTotals] = [BookTotals()]
    var grants: [PlainGrant] = []
    var reservations: [StepID: PlainReservation] = [:]
    var open: Set<StepID> = []
    var facts: [StepKey: Fact] = [:]
    var overageHeld: Int64 = 0
    var overageConsumed: Int64 = 0
    var cycleEnd: Instant?
    var plan: String?

    var sequence: UInt64 { UInt64(entries.count) }

    var current: BookTotals {
        var sums = BookTotals(held: overageHeld, consumed: overageConsumed, overage: overageHeld + overageConsumed)
        for grant in grants {
            sums.granted += grant.amount
            sums.available += grant.available
            sums.held += grant.held
            sums.consumed += grant.consumed
            sums.expired += grant.expired
            sums.overage -= grant.paid
        }
        return sums
    }

    /// Adds what a record says.
    /// - Parameter sent: The step that was sent under a key and with a fingerprint.
    /// - Returns: what is wrong with it.
    mutating func add(
        _ record: [Entry], at position: UInt64, sent: (StepKey, UInt64) -> Command?
    ) -> String? {
        for entry in record {
            if let wrong = add(entry, at: position, sent: sent) {
                return "\(wrong): entry \(entry.sequence) \(entry.kind) of record \(position): \(entry)"
            }
        }
        return nil
    }

    private mutating func add(
        _ entry: Entry, at position: UInt64, sent: (StepKey, UInt64) -> Command?
    ) -> String? {
        let command = entry.key.flatMap { sent($0, entry.fingerprint) }
        if entry.key != nil, command == nil { return "a step that nobody sent" }
        if entry.kind == .refusal { return add(refusal: entry, at: position, command) }
        guard entry.sequence == sequence + 1 else { return "it should be entry \(sequence + 1)" }
        guard entry.at >= at else { return "it is dated before the one that precedes it, at \(at)" }
        if let key = entry.key {
            guard facts[key]?.success == nil else { return "the step is there twice" }
            if let late = overdue(at: entry.at) { return late }
            facts[key, default: Fact()].success = entries.count
        }
        let before = current
        if let wrong = move(entry) { return wrong }
        if let wrong = judge(entry, command, before) { return wrong }
        let sums = current
        guard sums.isConserved else { return "credits are not accounted for: \(sums)" }
        guard entry.after == BalanceAfter(available: sums.available, held: sums.held) else {
            return "it says that \(entry.after) is left, and \(sums) is"
        }
        guard sums.overage <= max(before.overage, PlanTable.overageCap) else {
            return "more is owed than any plan allows"
        }
        at = entry.at
        entries.append(entry)
        positions.append(position)
        totals.append(sums)
        return nil
    }

    private mutating func add(refusal entry: Entry, at position: UInt64, _ command: Command?) -> String? {
        guard let key = entry.key, case .refusal(let refusal) = entry.detail, let command else {
            return "a refusal of nothing"
        }
        guard entry.moves.isEmpty, entry.sequence == 0 else { return "a refusal that moves something" }
        if facts[key]?.success != nil { return "a step that was done is refused" }
        if let late = overdue(at: entry.at) { return late }
        if case .insufficientCredits(let needed, let available) = refusal {
            let left = current.available
            guard needed > available else { return "refused although it is there" }
            guard available >= left, available == left || plan == "owing" || plan == "billed" else {
                return "refused as \(available) was there, and \(left) was"
            }
            guard needed <= asked(command) ?? needed else { return "more is needed than was asked" }
        }
        facts[key, default: Fact()].refusals.append(
            Refused(fingerprint: entry.fingerprint, refusal: refusal, at: entry.at, position: position))
        return nil
    }

    /// What should have ended by itself before a step at that moment.
    private func overdue(at now: Instant) -> String? {
        for id in open where reservations[id]!.expiresAt <= now { return "the hold \(id) should have ended before" }
        for grant in grants where grant.available > 0 && grant.expiresAt.map({ $0 <= now }) ?? false {
            return "grant \(grant.number) should have expired before"
        }
        if let cycleEnd, cycleEnd <= now { return "the cycle should have turned before" }
        return nil
    }

    /// The plain amount that a step asks for, at the most.
    private func asked(_ command: Command) -> Int64? {
        switch command {
        case .reserve(let reserve), .charge(let reserve): reserve.ask.plain
        case .commit(let commit): commit.ask.plain
        default: nil
        }
    }
}

extension Ask {
    var plain: Int64? { if case .amount(let amount) = self { amount } else { nil } }

    /// How much of its one unit is asked for.
    var count: Int64? { if case .quantities(let quantities, _, _) = self { quantities.first?.count ?? 0 } else { nil } }

    /// The price of one unit.
    var unitMicros: Int64? {
        if case .quantities(_, _, let price?) = self { price.first.units.first?.amountMicros } else { nil }
    }
}
