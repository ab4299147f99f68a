import Ledger

extension PlainBook {
    /// Moves the credits as the entry says; nothing may fall below zero.
    mutating func move(_ entry: Entry) -> String? {
        if case .grant(let grant) = entry.detail {
            guard Int(grant.number) == grants.count + 1, grant.amount > 0 else { return "a grant that cannot be" }
            grants.append(
                PlainGrant(
                    number: grant.number, rank: Self.rank(grant.kind), expiresAt: grant.expiresAt,
                    amount: grant.amount, available: grant.amount))
        }
        for move in entry.moves {
            if move.grant == 0 {
                overageHeld += move.held
                overageConsumed += move.consumed
                guard overageHeld >= 0, overageConsumed >= 0 else { return "less than nothing is owed" }
                continue
            }
            let index = Int(move.grant) - 1
            guard grants.indices.contains(index) else { return "grant \(move.grant) is not there" }
            grants[index].held += move.held
            grants[index].consumed += move.consumed
            grants[index].expired += move.expired
            grants[index].paid += move.paid
            grants[index].available -= move.held + move.consumed + move.expired + move.paid
            let grant = grants[index]
            guard grant.available >= 0, grant.held >= 0, grant.consumed >= 0, grant.expired >= 0, grant.paid >= 0
            else { return "grant \(move.grant) falls below zero" }
        }
        return nil
    }

    /// Subscription, complimentary, gifted, purchased: in this order where they expire together.
    private static func rank(_ kind: GrantKind) -> UInt8 {
        switch kind {
        case .subscription: 0
        case .complimentary: 1
        case .gifted: 2
        case .purchased: 3
        }
    }

    /// Whether the entry does what its step asked for, and to the reservation what it should.
    mutating func judge(_ entry: Entry, _ command: Command?, _ before: BookTotals) -> String? {
        let held = entry.moves.reduce(0) { $0 + $1.held }
        let consumed = entry.moves.reduce(0) { $0 + $1.consumed }
        switch entry.kind {
        case .reserve, .charge: return judge(opening: entry, command, held: held, consumed: consumed)
        case .commit, .partialCommit, .release, .refund, .extend, .holdExpiry:
            return judge(later: entry, command, held: held, consumed: consumed)
        case .grant: return judge(grant: entry, command)
        case .grantExpiry:
            guard let move = entry.moves.first, entry.moves.count == 1, move.expired == entry.amount,
                let expiresAt = grants[Int(move.grant) - 1].expiresAt, entry.at == max(expiresAt, at),
                grants[Int(move.grant) - 1].available == 0
            else { return "a grant does not expire so" }
        case .grantRevocation:
            for move in entry.moves { grants[Int(move.grant) - 1].isRevoked = true }
            guard held == 0, consumed == 0 else { return "a revocation takes what was used" }
        case .subscription, .cycle: return judge(change: entry)
        case .price, .setting, .window, .note:
            guard entry.moves.isEmpty else { return "it moves credits" }
        case .refusal: return "a refusal is no entry of the book"
        }
        return nil
    }

    private mutating func judge(opening entry: Entry, _ command: Command?, held: Int64, consumed: Int64) -> String? {
        let asked: ReserveCommand
        switch command {
        case .reserve(let command) where entry.kind == .reserve: asked = command
        case .charge(let command) where entry.kind == .charge: asked = command
        default: return "not what was sent"
        }
        guard reservations[entry.reservation] == nil, entry.reservation == asked.id,
            case .opening(let terms, let progress) = entry.detail
        else { return "a reservation begins twice" }
        let amount = asked.ask.plain ?? (asked.ask.count ?? 0) * (asked.ask.unitMicros ?? 0)
        let least = entry.kind == .reserve ? min(asked.minimumMicros ?? amount, amount) : amount
        guard (least...amount).contains(entry.amount) else { return "\(amount) was asked" }
        let isOpen = entry.kind == .reserve
        guard held == (isOpen ? entry.amount : 0), consumed == (isOpen ? 0 : entry.amount) else {
            return "held \(held) and charged \(consumed)"
        }
        guard terms.feature == asked.feature, terms.actor == asked.actor else { return "other terms than asked" }
        var reservation = PlainReservation(
            state: isOpen ? .open : .committed,
            expiresAt: isOpen ? entry.at.advanced(microseconds: asked.ttlMicroseconds) : entry.at,
            openedBy: entry.sequence)
        reservation.held = held
        reservation.charged = consumed
        reservation.unitMicros = asked.ask.unitMicros
        reservations[entry.reservation] = reservation
        if isOpen { open.insert(entry.reservation) }
        return disagreement(progress, reservation) ?? order(of: entry)
    }

    private mutating func judge(
        later entry: Entry, _ command: Command?, held: Int64, consumed: Int64
    ) -> String? {
        guard var reservation = reservations[entry.reservation], case .progress(let progress, _) = entry.detail else {
            return "no such reservation"
        }
        let wasOpen = reservation.state == .open
        let before = reservation.held
        reservation.held += held
        switch (entry.kind, command) {
        case (.commit, .commit(let command)), (.partialCommit, .commit(let command)):
            guard command.partial == (entry.kind == .partialCommit), command.reservation == entry.reservation else {
                return "not what was sent"
            }
            guard wasOpen || reservation.state == .expired && !command.partial else { return "it was closed" }
            let amount = command.ask.plain ?? (command.ask.count ?? 0) * (reservation.unitMicros ?? 0)
            guard entry.amount == amount, consumed == amount else { return "\(amount) was to be charged" }
            guard held == (command.partial ? -min(before, amount) : -before) else { return "the hold is wrong" }
            reservation.charged += amount
            if !command.partial { reservation.state = .committed }
            if let wrong = order(of: entry) { return wrong }
        case (.release, .release):
            guard wasOpen, consumed == 0, held == -before, entry.amount == before else { return "no whole release" }
            reservation.state = .released
        case (.holdExpiry, nil):
            guard wasOpen, consumed == 0, held == -before, entry.amount == before else { return "no whole end" }
            guard entry.at == max(reservation.expiresAt, at) else { return "it ends at \(reservation.expiresAt)" }
            reservation.state = .expired
        case (.refund, .refund(let command)):
            let left = reservation.charged - reservation.refunded
            guard entry.amount == command.amountMicros ?? left, entry.amount <= left, consumed == -entry.amount,
                held == 0
            else { return "\(left) was left to refund" }
            reservation.refunded += entry.amount
        case (.extend, .extend(let command)):
            guard wasOpen, entry.moves.isEmpty else { return "it extends what it cannot" }
            reservation.expiresAt = max(
                reservation.expiresAt, entry.at.advanced(microseconds: command.ttlMicroseconds))
        case (.extend, nil):
            // One without an id: nobody knows which it was.
            guard wasOpen, entry.moves.isEmpty, progress.expiresAt >= reservation.expiresAt else {
                return "it extends what it cannot"
            }
            reservation.expiresAt = progress.expiresAt
        default: return "not what was sent"
        }
        reservations[entry.reservation] = reservation
        if reservation.state != .open { open.remove(entry.reservation) }
        return disagreement(progress, reservation)
    }

    private func disagreement(_ progress: ReservationProgress, _ own: PlainReservation) -> String? {
        progress.state == own.state && progress.held == own.held && progress.committed == own.charged
            && progress.refunded == own.refunded && progress.expiresAt == own.expiresAt ? nil : "it should be \(own)"
    }

    /// What is taken from what is available comes from the grants in their order.
    private func order(of entry: Entry) -> String? {
        var last: PlainGrant?
        for move in entry.moves where move.grant > 0 && move.held + move.consumed > 0 {
            let grant = grants[Int(move.grant) - 1]
            if last.map({ $0.precedes(grant) }) ?? true { last = grant }
        }
        if entry.moves.contains(where: { $0.grant == 0 && $0.held + $0.consumed > 0 }) {
            return grants.contains { $0.available > 0 } ? "it owes although something is there" : nil
        }
        guard let last else { return nil }
        let skipped = grants.first { $0.available > 0 && $0.number != last.number && $0.precedes(last) }
        return skipped.map { "grant \($0.number) comes before grant \(last.number)" }
    }

    private func judge(grant entry: Entry, _ command: Command?) -> String? {
        guard case .grant(let grant) = entry.detail else { return "a grant without one" }
        if case .grant(let command) = command {
            guard grant.amount == command.amountMicros, grant.kind == command.kind, grant.id == command.id,
                grant.expiresAt == command.expiresAt, entry.amount == command.amountMicros
            else { return "not what was sent" }
        } else if grant.origin == .granted {
            return "nobody granted it"
        }
        return nil
    }

    private mutating func judge(change entry: Entry) -> String? {
        guard entry.moves.isEmpty else { return "it moves credits" }
        guard case .change(.subscription(let subscription, _, _, _)) = entry.detail else {
            return entry.kind == .cycle ? "a cycle without one" : nil
        }
        if entry.kind == .cycle {
            guard let ended = cycleEnd, entry.at == max(ended, at) else { return "the cycle ends elsewhere" }
            if let next = subscription?.cycle, next.start != ended { return "a cycle is left out" }
        }
        cycleEnd = subscription?.cycle?.end
        plan = subscription?.terms.name
        return nil
    }
}
