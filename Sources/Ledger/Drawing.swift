/// The draws of a reservation while a step works on them, and the moves that come of it.
struct Drawing {
    private(set) var draws: Few<Draw>
    private(set) var moves: Few<Move> = []

    init(_ draws: Few<Draw> = []) {
        self.draws = draws
    }

    /// Holds `amount`: of what is available, in burn-down order, and what goes beyond that as overage.
    mutating func hold(_ amount: Int64, _ grants: GrantTable, available: Int64) {
        let covered = min(amount, available)
        grants.draw(covered) { hold($1, of: $0) }
        if amount > covered { hold(amount - covered, of: Move.overageNumber) }
    }

    private mutating func hold(_ part: Int64, of grant: UInt32) {
        draws.append(Draw(grant: grant, held: part, consumed: 0))
        moves.append(Move(grant: grant, held: part))
    }

    /// Charges `amount` in the same order, after the draws that are there.
    mutating func charge(_ amount: Int64, _ grants: GrantTable, available: Int64) {
        let covered = min(amount, available)
        grants.draw(covered) { charge($1, to: $0) }
        if amount > covered { charge(amount - covered, to: Move.overageNumber) }
    }

    private mutating func charge(_ part: Int64, to grant: UInt32) {
        if let last = draws.indices.last, draws[last].grant == grant {
            draws[last].consumed += part
        } else {
            draws.append(Draw(grant: grant, held: 0, consumed: part))
        }
        if let last = moves.indices.last, moves[last].grant == grant {
            moves[last].consumed += part
        } else {
            moves.append(Move(grant: grant, consumed: part))
        }
    }

    /// Charges up to `amount` of what is held, from the first draw on; what is held beyond that goes back, or stays held
    /// where `keepsRest`. So the draws that were made last are the first to give back.
    /// - Returns: what is left of the amount.
    mutating func chargeHeld(_ amount: Int64, keepsRest: Bool, _ grants: GrantTable, at now: Instant) -> Int64 {
        var left = amount
        for index in draws.indices where draws[index].held > 0 {
            let part = min(left, draws[index].held)
            let back = keepsRest ? 0 : draws[index].held - part
            if part == 0, back == 0 { break }
            draws[index].held -= part + back
            draws[index].consumed += part
            moves.append(
                Move(
                    grant: draws[index].grant, held: -(part + back), consumed: part,
                    expired: grants.isOver(draws[index].grant, at: now) ? back : 0))
            left -= part
        }
        return left
    }

    /// Gives back all that is held, and returns how much that was.
    mutating func giveBack(_ grants: GrantTable, at now: Instant) -> Int64 {
        var amount: Int64 = 0
        for index in draws.indices.reversed() where draws[index].held > 0 {
            let back = draws[index].held
            draws[index].held = 0
            moves.append(
                Move(
                    grant: draws[index].grant, held: -back,
                    expired: grants.isOver(draws[index].grant, at: now) ? back : 0))
            amount += back
        }
        return amount
    }

    /// Gives back `amount` of what was charged, in the reverse of the order in which it was drawn. That much was charged.
    mutating func refund(_ amount: Int64, _ grants: GrantTable, at now: Instant) {
        var left = amount
        for index in draws.indices.reversed() where left > 0 && draws[index].consumed > 0 {
            let part = min(left, draws[index].consumed)
            draws[index].consumed -= part
            moves.append(
                Move(
                    grant: draws[index].grant, consumed: -part,
                    expired: grants.isOver(draws[index].grant, at: now) ? part : 0))
            left -= part
        }
        payBack(grants, at: now)
    }

    /// Where less is overage now than later grants have paid, what they paid too much goes back to them, the latest first.
    private mutating func payBack(_ grants: GrantTable, at now: Instant) {
        let refunded = moves.reduce(0) { $0 - ($1.grant == Move.overageNumber ? $1.consumed : 0) }
        guard refunded > 0 else { return }
        var left = grants.overage.paid - (grants.overage.consumed - refunded)
        for grant in grants.grants.reversed() where left > 0 && grant.paid > 0 {
            let part = min(left, grant.paid)
            moves.append(Move(grant: grant.number, expired: grant.isOver(at: now) ? part : 0, paid: -part))
            left -= part
        }
    }
}
