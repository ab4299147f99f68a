/// A price and the number under which the tenant's reservations name it.
package struct VersionedPrice: Equatable, Sendable {
    package var version: UInt32
    package var price: FeaturePrice

    package init(version: UInt32, price: FeaturePrice) {
        self.version = version
        self.price = price
    }
}

/// What was consumed in one quarter of an hour, net of the refunds that were made in it.
package struct UsageBucket: Equatable, Sendable {
    /// Whole quarters of an hour since 1970-01-01T00:00:00Z. Every time zone in use begins its days on one.
    package var quarterHour: Int64
    package var consumed: Int64

    package init(quarterHour: Int64, consumed: Int64) {
        self.quarterHour = quarterHour
        self.consumed = consumed
    }

    /// The moment at which it begins.
    package var start: Instant { Instant(microseconds: quarterHour * Self.lengthMicroseconds) }

    package static let lengthMicroseconds: Int64 = 15 * 60 * 1_000_000

    /// The quarter of an hour that `instant` belongs to.
    package static func quarterHour(of instant: Instant) -> Int64 {
        let quotient = instant.microseconds / lengthMicroseconds
        return instant.microseconds < quotient * lengthMicroseconds ? quotient - 1 : quotient
    }
}

/// All that memory must know of a book to go on with it; the rest is looked up when a step asks for it.
package struct BookSnapshot: Equatable, Sendable {
    /// Number of the last entry.
    package var sequence: UInt64
    /// Date of the last entry.
    package var at: Instant
    package var totals: BookTotals
    /// All grants, by number.
    package var grants: [Grant]
    package var overage: Overage
    package var governance: Governance
    /// In any order.
    package var openReservations: [Reservation]
    /// All prices, by version, from 1.
    package var prices: [VersionedPrice]
    /// At least those of the last 62 days before `at`, sorted by quarter of an hour.
    package var usage: [UsageBucket]
    /// The greatest time-ordered id among the ids of all steps, refused ones among them, and of all reservations; zero where there is none.
    package var newestTimeOrderedID: StepID
    /// Some step, refused ones among them, or reservation has an id that is not time-ordered.
    package var holdsOtherIDs: Bool

    package init(
        sequence: UInt64 = 0, at: Instant = .zero, totals: BookTotals = BookTotals(), grants: [Grant] = [],
        overage: Overage = Overage(), governance: Governance = Governance(), openReservations: [Reservation] = [],
        prices: [VersionedPrice] = [], usage: [UsageBucket] = [],
        newestTimeOrderedID: StepID = .zero, holdsOtherIDs: Bool = false
    ) {
        self.sequence = sequence
        self.at = at
        self.totals = totals
        self.grants = grants
        self.overage = overage
        self.governance = governance
        self.openReservations = openReservations
        self.prices = prices
        self.usage = usage
        self.newestTimeOrderedID = newestTimeOrderedID
        self.holdsOtherIDs = holdsOtherIDs
    }
}

extension BookSnapshot {
    /// Finds what makes the snapshot impossible. A snapshot that was read from a file goes through here before a state is
    /// restored from it, so that a damaged file is an error and never a crash later.
    package func check() throws(Contradiction) {
        guard totals.isConserved else { throw .conservation }
        var sum = SumOfGrants()
        for (index, grant) in grants.enumerated() {
            guard grant.number == index + 1 else { throw .newGrant(grant.number) }
            try sum.add(grant)
        }
        guard overage.held >= 0, overage.paid >= 0, overage.consumed >= overage.paid else {
            throw .grant(Move.overageNumber)
        }
        sum.add(overage)
        guard sum.matches(totals) else { throw .conservation }
        try checkHolds()
        try checkGovernance()
        for (index, price) in prices.enumerated() where price.version != index + 1 {
            throw .price(version: price.version)
        }
    }

    /// A cycle runs where the book stands, so that none is turned for ages that never were; what stands against limits is
    /// not less than nothing.
    private func checkGovernance() throws(Contradiction) {
        if let cycle = governance.subscription?.cycle {
            guard cycle.start < cycle.end, cycle.start <= at, at <= cycle.end, cycle.allowanceMicros >= 0,
                cycle.grantsBefore <= grants.count
            else { throw .governance }
        }
        for item in governance.limits.items where item.consumed < 0 || item.wouldHaveRefused < 0 { throw .governance }
    }

    /// Open reservations hold exactly what the grants say is held.
    private func checkHolds() throws(Contradiction) {
        // The first is what is held on overage.
        var held = [Int128](repeating: 0, count: grants.count + 1)
        var ids = Set<StepID>()
        for reservation in openReservations {
            guard reservation.progress.state == .open, ids.insert(reservation.id).inserted else {
                throw .reservation(reservation.id)
            }
            for draw in reservation.progress.draws {
                guard draw.grant <= grants.count else { throw .unknownGrant(draw.grant) }
                guard draw.held >= 0, draw.consumed >= 0 else { throw .reservation(reservation.id) }
                held[Int(draw.grant)] += Int128(draw.held)
            }
        }
        guard held[0] == Int128(overage.held) else { throw .grant(Move.overageNumber) }
        for grant in grants where Int128(grant.held) != held[Int(grant.number)] { throw .grant(grant.number) }
    }
}

/// Adds up grants in 128 bits, so that numbers from a damaged file cannot overflow.
private struct SumOfGrants {
    private var granted: Int128 = 0
    private var available: Int128 = 0
    private var held: Int128 = 0
    private var consumed: Int128 = 0
    private var expired: Int128 = 0
    private var paid: Int128 = 0
    private var overage: Int128 = 0

    mutating func add(_ grant: Grant) throws(Contradiction) {
        let parts = [grant.available, grant.held, grant.consumed, grant.expired, grant.paid]
        guard parts.reduce(Int128(0), { $0 + Int128($1) }) == Int128(grant.amount), parts.allSatisfy({ $0 >= 0 }),
            grant.refunded >= 0
        else { throw .grant(grant.number) }
        paid += Int128(grant.paid)
        granted += Int128(grant.amount)
        available += Int128(grant.available)
        held += Int128(grant.held)
        consumed += Int128(grant.consumed)
        expired += Int128(grant.expired)
    }

    mutating func add(_ overage: Overage) {
        held += Int128(overage.held)
        consumed += Int128(overage.consumed)
        paid -= Int128(overage.paid)
        self.overage = Int128(overage.total)
    }

    func matches(_ totals: BookTotals) -> Bool {
        paid == 0 && overage == Int128(totals.overage) && granted == Int128(totals.granted)
            && available == Int128(totals.available) && held == Int128(totals.held)
            && consumed == Int128(totals.consumed) && expired == Int128(totals.expired)
    }
}
