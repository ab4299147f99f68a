import Ledger

/// The rules once more, in the plainest way: credits are chips that lie somewhere, every question is a walk over a list,
/// nothing is kept that could be worked out again.
struct NaiveBook {
    enum Place: Equatable {
        case available, expired
        case held(StepID)
        case consumed(StepID)
    }

    struct Grant {
        var number: UInt32
        var kind: GrantKind
        var expiresAt: Instant?
        var amount: Int64
    }

    /// Some credits of one grant that went the same way together.
    struct Chip {
        var grant: UInt32
        var amount: Int64
        var place: Place
    }

    struct Hold {
        var id: StepID
        var state: ReservationState
        var late = false
        var expiresAt: Instant
        var closedAt: Instant?
        var charged: Int64 = 0
        var refunded: Int64 = 0
        var price: FeaturePrice?
        var quality: Quality
    }

    struct Use {
        var at: Instant
        var amount: Int64
    }

    /// What a step should come to.
    struct Expected: Equatable {
        var amount: Int64
        var available: Int64
        var held: Int64
    }

    /// What happens by itself.
    struct End: Equatable {
        var at: Instant
        var kind: EntryKind
        var amount: Int64
    }

    private(set) var grants: [Grant] = []
    /// Chips of a reservation lie in the order in which they were drawn.
    private(set) var chips: [Chip] = []
    private(set) var holds: [Hold] = []
    private(set) var uses: [Use] = []

    func sum(_ isCounted: (Chip) -> Bool) -> Int64 {
        chips.filter(isCounted).reduce(0) { $0 + $1.amount }
    }

    var available: Int64 { sum { $0.place == .available } }

    var held: Int64 {
        sum { chip in
            if case .held = chip.place { true } else { false }
        }
    }

    var consumed: Int64 {
        sum { chip in
            if case .consumed = chip.place { true } else { false }
        }
    }

    func hold(_ id: StepID) -> Hold? { holds.first { $0.id == id } }

    private func isOver(_ grant: UInt32, at now: Instant) -> Bool {
        grants[Int(grant) - 1].expiresAt.map { $0 <= now } ?? false
    }

    // MARK: - Moving chips

    /// Charges so much of what the reservation holds, in the order in which it was drawn.
    private mutating func charge(_ amount: Int64, heldBy id: StepID) {
        var left = amount
        var result: [Chip] = []
        for chip in chips {
            let part = chip.place == .held(id) ? min(left, chip.amount) : 0
            left -= part
            if part > 0 { result.append(Chip(grant: chip.grant, amount: part, place: .consumed(id))) }
            if part < chip.amount {
                result.append(Chip(grant: chip.grant, amount: chip.amount - part, place: chip.place))
            }
        }
        precondition(left == 0, "the model charged more than is held")
        chips = result
    }

    private func burnDown(_ indices: [Int]) -> [Int] {
        indices.sorted { a, b in
            let (first, second) = (grants[Int(chips[a].grant) - 1], grants[Int(chips[b].grant) - 1])
            return (first.expiresAt ?? .distantFuture, first.kind.burnRank, first.number)
                < (second.expiresAt ?? .distantFuture, second.kind.burnRank, second.number)
        }
    }

    private mutating func take(_ amount: Int64, to place: Place) {
        // Chips of one grant lie anywhere; they are as good as one.
        let merged = burnDown(chips.indices.filter { chips[$0].place == .available }).map { chips[$0] }
        var left = amount
        var rest: [Chip] = []
        var taken: [Chip] = []
        for chip in merged {
            let part = min(left, chip.amount)
            left -= part
            if part > 0 { taken.append(Chip(grant: chip.grant, amount: part, place: place)) }
            if part < chip.amount {
                rest.append(Chip(grant: chip.grant, amount: chip.amount - part, place: .available))
            }
        }
        precondition(left == 0, "the model took more than is there")
        chips.removeAll { $0.place == .available }
        chips += taken + rest
    }

    private mutating func giveBackHeld(_ id: StepID, at now: Instant) -> Int64 {
        var amount: Int64 = 0
        for index in chips.indices where chips[index].place == .held(id) {
            amount += chips[index].amount
            chips[index].place = isOver(chips[index].grant, at: now) ? .expired : .available
        }
        return amount
    }

    // MARK: - Time

    /// The earliest thing that happens by itself.
    private func nextEnd() -> (at: Instant, hold: StepID?, grant: UInt32?)? {
        var ends: [(at: Instant, hold: StepID?, grant: UInt32?)] = []
        for hold in holds where hold.state == .open { ends.append((hold.expiresAt, hold.id, nil)) }
        for grant in grants {
            if let at = grant.expiresAt, sum({ $0.grant == grant.number && $0.place == .available }) > 0 {
                ends.append((at, nil, grant.number))
            }
        }
        return ends.min { a, b in
            if a.at != b.at { return a.at < b.at }
            if let first = a.hold, let second = b.hold { return first < second }
            if a.hold != nil || b.hold != nil { return a.hold != nil }
            let (first, second) = (grants[Int(a.grant!) - 1], grants[Int(b.grant!) - 1])
            return (first.kind.burnRank, first.number) < (second.kind.burnRank, second.number)
        }
    }

    var nextDeadline: Instant? { nextEnd()?.at }

    mutating func settle(at now: Instant) -> [End] {
        var ends: [End] = []
        while let end = nextEnd(), end.at <= now {
            if let id = end.hold, let index = holds.firstIndex(where: { $0.id == id }) {
                holds[index].state = .expired
                holds[index].closedAt = end.at
                ends.append(End(at: end.at, kind: .holdExpiry, amount: giveBackHeld(id, at: end.at)))
            } else {
                var amount: Int64 = 0
                for index in chips.indices where chips[index].grant == end.grant && chips[index].place == .available {
                    amount += chips[index].amount
                    chips[index].place = .expired
                }
                ends.append(End(at: end.at, kind: .grantExpiry, amount: amount))
            }
        }
        return ends
    }

    // MARK: - Steps, without ids

    mutating func step(_ command: Command, at now: Instant) -> Result<Expected, Refusal> {
        do throws(Refusal) {
            let amount = try perform(command, at: now)
            return .success(Expected(amount: amount, available: available, held: held))
        } catch {
            return .failure(error)
        }
    }

    private mutating func perform(_ command: Command, at now: Instant) throws(Refusal) -> Int64 {
        switch command {
        case .grant(let grant):
            let number = UInt32(grants.count + 1)
            grants.append(
                Grant(number: number, kind: grant.kind, expiresAt: grant.expiresAt, amount: grant.amountMicros))
            chips.append(Chip(grant: number, amount: grant.amountMicros, place: .available))
            return grant.amountMicros
        case .reserve(let reserve): return try open(reserve, minimum: reserve.minimumMicros, at: now)
        case .charge(let charge):
            let amount = try open(charge, minimum: nil, at: now)
            let index = holds.count - 1
            for chip in chips.indices where chips[chip].place == .held(charge.id) {
                chips[chip].place = .consumed(charge.id)
            }
            holds[index].state = .committed
            holds[index].expiresAt = now
            holds[index].closedAt = now
            holds[index].charged = amount
            uses.append(Use(at: now, amount: amount))
            return amount
        case .commit(let commit): return try perform(commit, at: now)
        case .release(let release):
            let index = try existing(release.reservation)
            guard holds[index].state == .open else { throw .reservationClosed(holds[index].state) }
            holds[index].state = .released
            holds[index].closedAt = now
            return giveBackHeld(release.reservation, at: now)
        case .refund(let refund): return try perform(refund, at: now)
        case .extend(let extend):
            let index = try existing(extend.reservation)
            guard holds[index].state == .open else { throw .reservationClosed(holds[index].state) }
            let until = now.advanced(microseconds: extend.ttlMicroseconds)
            if until > holds[index].expiresAt { holds[index].expiresAt = until }
            return 0
        case .subscribe, .set, .revoke, .note: preconditionFailure("this model knows steps alone")
        }
    }

    private func existing(_ id: StepID) throws(Refusal) -> Int {
        guard let index = holds.firstIndex(where: { $0.id == id }) else { throw .reservationNotFound }
        return index
    }

    private func cost(
        _ quantities: [Quantity], _ price: FeaturePrice?, _ quality: Quality, isPartial: Bool = false
    ) throws(Refusal) -> Int64 {
        guard let price else { throw .price(quantities.isEmpty ? .noQuantities : .unknownUnit(quantities[0].unit)) }
        if quantities.isEmpty, price.fixedMicros == nil { throw .price(.noQuantities) }
        let percent = price.qualityPercent[quality == .unspecified ? 2 : Int(quality.rawValue)]
        /// The smallest amount that covers it: small numbers, so it can be found by going up.
        func share(_ micros: Int64, per: Int64) -> Int64 {
            var amount = micros * percent / (per * 100)
            while amount * per * 100 < micros * percent { amount += 1 }
            return amount
        }
        var sum = isPartial ? 0 : price.fixedMicros.map { share($0, per: 1) } ?? 0
        for quantity in quantities {
            guard let unit = price.units.first(where: { $0.unit == quantity.unit }) else {
                throw .price(.unknownUnit(quantity.unit))
            }
            if unit.tiers.isEmpty {
                sum += share(quantity.count * unit.amountMicros, per: unit.per)
            } else if quantity.count > 0 {
                var tier = unit.tiers[0]
                for larger in unit.tiers where larger.from <= quantity.count { tier = larger }
                let line = share(tier.fixedMicros * tier.per + quantity.count * tier.amountMicros, per: tier.per)
                sum += min(max(line, tier.minimumMicros), tier.maximumMicros > 0 ? tier.maximumMicros : .max)
            }
        }
        return isPartial || sum > price.minimumMicros ? sum : price.minimumMicros
    }

    private mutating func open(_ command: ReserveCommand, minimum: Int64?, at now: Instant) throws(Refusal) -> Int64 {
        var hold = Hold(
            id: command.id, state: .open, expiresAt: now.advanced(microseconds: command.ttlMicroseconds),
            quality: .unspecified)
        var amount: Int64
        switch command.ask {
        case .amount(let plain): amount = plain
        case .quantities(let quantities, let quality, let schedule):
            let price = schedule?.price(at: now)
            amount = try cost(quantities, price, quality)
            hold.price = price
            hold.quality = quality
        }
        if amount > available {
            let least = min(amount, minimum ?? amount)
            guard available >= least else {
                throw .insufficientCredits(neededMicros: least, availableMicros: available)
            }
            amount = available
        }
        take(amount, to: .held(command.id))
        holds.append(hold)
        return amount
    }

    private mutating func perform(_ command: CommitCommand, at now: Instant) throws(Refusal) -> Int64 {
        let index = try existing(command.reservation)
        let hold = holds[index]
        let isLate = hold.state == .expired
        if isLate {
            guard !command.partial, now.microseconds - hold.closedAt!.microseconds <= 600_000_000 else {
                throw .reservationClosed(.expired)
            }
        } else if hold.state != .open {
            throw .reservationClosed(hold.state)
        }
        let amount: Int64
        switch command.ask {
        case .amount(let plain): amount = plain
        case .quantities(let quantities, _, _):
            amount = try cost(quantities, hold.price, hold.quality, isPartial: command.partial)
        }
        let own = sum { $0.place == .held(hold.id) }
        let fromHold = min(own, amount)
        guard amount - fromHold <= available else {
            throw .insufficientCredits(neededMicros: amount - fromHold, availableMicros: available)
        }
        charge(fromHold, heldBy: hold.id)
        take(amount - fromHold, to: .consumed(hold.id))
        holds[index].charged += amount
        if !command.partial {
            _ = giveBackHeld(hold.id, at: now)
            holds[index].state = .committed
            holds[index].late = isLate
            holds[index].closedAt = now
        }
        uses.append(Use(at: now, amount: amount))
        return amount
    }

    private mutating func perform(_ command: RefundCommand, at now: Instant) throws(Refusal) -> Int64 {
        let index = try existing(command.reservation)
        let left = holds[index].charged - holds[index].refunded
        let amount = command.amountMicros ?? left
        guard left > 0, amount <= left else { throw .refundExceedsCommitted(refundableMicros: left) }
        var open = amount
        for chip in chips.indices.reversed() where chips[chip].place == .consumed(command.reservation) && open > 0 {
            let part = min(open, chips[chip].amount)
            let grant = chips[chip].grant
            chips[chip].amount -= part
            chips.append(Chip(grant: grant, amount: part, place: isOver(grant, at: now) ? .expired : .available))
            open -= part
        }
        chips.removeAll { $0.amount == 0 }
        holds[index].refunded += amount
        uses.append(Use(at: now, amount: -amount))
        return amount
    }
}
