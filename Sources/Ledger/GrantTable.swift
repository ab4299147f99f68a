/// The tenant's grants, and the order in which those with something available are taken.
struct GrantTable: Sendable {
    /// All grants, by number.
    private(set) var grants: [Grant] = []
    /// What is used beyond them.
    private(set) var overage = Overage()
    /// Those with something available; the last one is taken first, so that the one that is used up goes, and mostly also
    /// comes back, at the end.
    private var order: [Place] = []

    /// What decides when a grant is taken, so that finding a place touches no grant.
    private struct Place {
        let expiresAt: Instant
        let rank: UInt8
        let number: UInt32

        init(_ grant: Grant) {
            expiresAt = grant.expiresAt ?? .distantFuture
            rank = grant.kind.burnRank
            number = grant.number
        }

        /// True where this one is taken before `other`.
        func precedes(_ other: Place) -> Bool {
            if expiresAt != other.expiresAt { return expiresAt < other.expiresAt }
            if rank != other.rank { return rank < other.rank }
            return number < other.number
        }
    }

    init() {}

    init(_ grants: [Grant], _ overage: Overage) {
        self.grants = grants
        self.overage = overage
        order = grants.filter { $0.available > 0 }.map(Place.init)
        order.sort { $1.precedes($0) }
    }

    /// The first grant that has something to expire, and when; nil where none ever expires.
    var nextExpiry: (at: Instant, grant: UInt32)? {
        guard let first = order.last, first.expiresAt != .distantFuture else { return nil }
        return (first.expiresAt, first.number)
    }

    func available(of number: UInt32) -> Int64 {
        grants[Int(number) - 1].available
    }

    func refunded(of number: UInt32) -> Int64 {
        grants[Int(number) - 1].refunded
    }

    /// What comes back to a grant that is over expires at once.
    func isOver(_ number: UInt32, at now: Instant) -> Bool {
        number != Move.overageNumber && grants[Int(number) - 1].isOver(at: now)
    }

    /// Calls `body` with what each grant gives, in burn-down order, until `amount` is together. That much is available.
    @inline(__always)
    func draw(_ amount: Int64, _ body: (_ grant: UInt32, _ part: Int64) -> Void) {
        var left = amount
        var position = order.count
        while left > 0 {
            precondition(position > 0, "more is drawn than the grants have")
            position -= 1
            let number = order[position].number
            let part = min(left, available(of: number))
            body(number, part)
            left -= part
        }
    }

    mutating func add(_ grant: Grant) throws(Contradiction) {
        guard grant.number == UInt32(grants.count + 1), grant.amount >= 0, grant.available == grant.amount,
            grant.held == 0, grant.consumed == 0, grant.expired == 0, grant.paid == 0, grant.refunded == 0
        else { throw .newGrant(grant.number) }
        grants.append(grant)
        if grant.available > 0 { insert(Place(grant)) }
    }

    mutating func apply(_ move: Move, isRefund: Bool) throws(Contradiction) {
        if move.grant == Move.overageNumber { return try applyOverage(move) }
        guard move.grant <= grants.count else { throw .unknownGrant(move.grant) }
        let index = Int(move.grant) - 1
        let before = grants[index].available
        guard grants[index].apply(move, isRefund: isRefund), let paid = overage.paid.checkedSum(move.paid) else {
            throw .grant(move.grant)
        }
        overage.paid = paid
        let after = grants[index].available
        if before == 0, after > 0 {
            insert(Place(grants[index]))
        } else if before > 0, after == 0 {
            remove(Place(grants[index]))
        }
    }

    private mutating func applyOverage(_ move: Move) throws(Contradiction) {
        guard move.expired == 0, move.paid == 0, let held = overage.held.checkedSum(move.held),
            let consumed = overage.consumed.checkedSum(move.consumed)
        else { throw .grant(move.grant) }
        overage.held = held
        overage.consumed = consumed
    }

    /// From now on what comes back to the grant expires at once.
    mutating func revoke(_ number: UInt32, at instant: Instant) throws(Contradiction) {
        guard number >= 1, number <= grants.count, grants[Int(number) - 1].available == 0 else {
            throw .unknownGrant(number)
        }
        grants[Int(number) - 1].revokedAt = instant
    }

    private mutating func insert(_ place: Place) {
        order.insert(place, at: position(of: place))
    }

    private mutating func remove(_ place: Place) {
        let position = order.last?.number == place.number ? order.count - 1 : position(of: place)
        precondition(order[position].number == place.number, "a grant with something available has no place")
        order.remove(at: position)
    }

    /// Where the place is, or belongs.
    private func position(of place: Place) -> Int {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if place.precedes(order[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Grant {
    /// Does the move, or nothing where it would leave less than nothing in a column. False then.
    fileprivate mutating func apply(_ move: Move, isRefund: Bool) -> Bool {
        // What does not fit 64 bits here is no amount that a grant of 64 bits can have.
        guard let newHeld = held.checkedSum(move.held), let newConsumed = consumed.checkedSum(move.consumed),
            let newExpired = expired.checkedSum(move.expired), let newPaid = paid.checkedSum(move.paid),
            let taken = newHeld.checkedSum(newConsumed), let over = newExpired.checkedSum(newPaid),
            let gone = taken.checkedSum(over), gone <= amount,
            let newRefunded = refunded.checkedSum(isRefund ? 0 &- move.consumed : 0)
        else { return false }
        held = newHeld
        consumed = newConsumed
        expired = newExpired
        paid = newPaid
        available = amount - gone
        refunded = newRefunded
        return true
    }
}

extension Int64 {
    /// The sum where it fits and is not negative.
    @inline(__always)
    func checkedSum(_ change: Int64) -> Int64? {
        let (sum, overflow) = addingReportingOverflow(change)
        return overflow || sum < 0 ? nil : sum
    }
}
