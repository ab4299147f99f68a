extension EntryCodec {
    static func entry(_ reader: inout ByteReader) throws(CodecError) -> Entry {
        let (kind, head) = try head(&reader)
        let sequence = try reader.varint()
        let at = Instant(microseconds: try reader.zigZag() &+ epoch.microseconds)
        var entry = Entry.Value(sequence: sequence, at: at, kind: kind, after: BalanceAfter(available: 0, held: 0))
        if head.contains(.fingerprint) { entry.fingerprint = try reader.fixed() }
        if head.contains(.reservation) { entry.reservation = try reader.id() }
        entry.key = try key(&reader, head, kind, reservation: entry.reservation)
        let amount = head.contains(.amount) ? try reader.zigZag() : nil
        entry.moves = try moves(&reader)
        entry.amount = amount ?? entry.moves.amount(of: kind)
        entry.after.available = try reader.zigZag()
        entry.after.held = try reader.zigZag()
        if head.contains(.comment) { entry.comment = try reader.text() }
        if head.contains(.actor) { entry.actor = try reader.text() }
        if head.contains(.audit) { entry.audit = try audit(&reader) }
        entry.detail = try detail(&reader, head, of: entry)
        return Entry(entry)
    }

    static func head(_ reader: inout ByteReader) throws(CodecError) -> (EntryKind, Head) {
        let bits = try reader.varint()
        let kindBits = UInt8(bits & (1 << Head.kindBits - 1))
        guard let kind = EntryKind(rawValue: kindBits) else { throw .unknownKind(kindBits) }
        let head = Head(rawValue: bits >> Head.kindBits)
        guard head.isSubset(of: .all) else { throw .invalid(field: .flags) }
        return (kind, head)
    }

    static func key(
        _ reader: inout ByteReader, _ head: Head, _ kind: EntryKind, reservation: StepID
    ) throws(CodecError) -> StepKey? {
        if head.contains(.otherKey) {
            guard !head.contains(.ownKey) else { throw .invalid(field: .key) }
            guard let family = StepFamily(rawValue: try reader.byte()) else { throw .invalid(field: .family) }
            return StepKey(family: family, id: try reader.id())
        }
        guard head.contains(.ownKey) else { return nil }
        guard let family = Entry.ownFamily(of: kind) else { throw .invalid(field: .key) }
        return StepKey(family: family, id: reservation)
    }

    private static func moves(_ reader: inout ByteReader) throws(CodecError) -> Few<Move> {
        var moves: Few<Move> = []
        for _ in 0..<(try reader.count(ofAtLeast: 1)) { moves.append(try move(&reader)) }
        return moves
    }

    @inline(__always)
    static func move(_ reader: inout ByteReader) throws(CodecError) -> Move {
        let bits = try reader.varint()
        var move = Move(grant: try grantNumber(bits >> 4))
        if bits & 1 != 0 { move.held = try reader.zigZag() }
        if bits & 2 != 0 { move.consumed = try reader.zigZag() }
        if bits & 4 != 0 { move.expired = try reader.zigZag() }
        if bits & 8 != 0 { move.paid = try reader.zigZag() }
        return move
    }

    private static func grantNumber(_ bits: UInt64) throws(CodecError) -> UInt32 {
        guard let number = UInt32(exactly: bits) else { throw .invalid(field: .varint) }
        return number
    }

    private static func detail(
        _ reader: inout ByteReader, _ head: Head, of entry: Entry.Value
    ) throws(CodecError) -> Entry.Detail {
        switch entry.kind {
        case .grant:
            return .grant(try grant(&reader, of: entry))
        case .reserve, .charge:
            let terms = try terms(&reader)
            return .opening(terms, try progress(&reader, of: entry))
        case .commit, .partialCommit, .release, .holdExpiry, .extend, .refund:
            let progress = try progress(&reader, of: entry)
            return .progress(progress, quantities: head.contains(.quantities) ? try quantities(&reader) : [])
        case .price:
            let version = try reader.number()
            return .price(version: version, try price(&reader))
        case .refusal:
            return .refusal(try refusal(&reader))
        case .setting, .subscription, .cycle, .window:
            return .change(try change(&reader))
        case .grantExpiry, .grantRevocation, .note:
            return .none
        }
    }

    private static func grant(_ reader: inout ByteReader, of entry: Entry.Value) throws(CodecError) -> Grant {
        let head = GrantHead(rawValue: try reader.byte())
        guard head.isSubset(of: .all) else { throw .invalid(field: .flags) }
        let number = try reader.number()
        guard let kind = GrantKind(rawValue: try reader.byte()) else { throw .invalid(field: .grantKind) }
        var grant = Grant(
            number: number, id: .zero, kind: kind, createdAt: entry.at, expiresAt: nil, comment: "",
            amount: entry.amount)
        if head.contains(.plain) {
            guard let key = entry.key else { throw .invalid(field: .key) }
            grant.id = key.id
        } else {
            grant.id = try reader.id()
            grant.createdAt = try reader.distance(from: entry.at)
            grant.amount = try reader.zigZag()
            grant.available = grant.amount
        }
        if head.contains(.expires) { grant.expiresAt = try reader.distance(from: entry.at) }
        if head.contains(.comment) { grant.comment = try reader.text() }
        if head.contains(.origin) {
            guard let origin = GrantOrigin(rawValue: try reader.byte()) else { throw .invalid(field: .grantKind) }
            grant.origin = origin
        }
        return grant
    }

    private static func terms(_ reader: inout ByteReader) throws(CodecError) -> ReservationTerms {
        let head = TermsHead(rawValue: try reader.byte())
        guard head.isSubset(of: .all) else { throw .invalid(field: .flags) }
        let feature = head.contains(.feature) ? try reader.text() : ""
        let actor = head.contains(.actor) ? try reader.text() : ""
        let comment = head.contains(.comment) ? try reader.text() : ""
        var labels: [Label] = []
        if head.contains(.labels) {
            for _ in 0..<(try reader.count(ofAtLeast: 2)) {
                let key = try reader.text()
                labels.append(Label(key: key, value: try reader.text()))
            }
        }
        let quantities = head.contains(.quantities) ? try quantities(&reader) : []
        var quality = Quality.unspecified
        if head.contains(.quality) {
            guard let named = Quality(rawValue: try reader.byte()) else { throw .invalid(field: .quality) }
            quality = named
        }
        return ReservationTerms(
            feature: feature, actor: actor, comment: comment, labels: labels, quantities: quantities, quality: quality,
            priceVersion: head.contains(.price) ? try reader.number() : 0)
    }

    private static func progress(
        _ reader: inout ByteReader, of entry: Entry.Value
    ) throws(CodecError) -> ReservationProgress {
        let bits = try reader.byte()
        guard let state = ReservationState(rawValue: bits & ProgressHead.state) else { throw .invalid(field: .state) }
        let head = ProgressHead(rawValue: bits & ~ProgressHead.state)
        var progress = ReservationProgress(
            state: state, late: head.contains(.late), expiresAt: try reader.distance(from: entry.at), draws: [])
        if head.contains(.closedHere) {
            progress.closedAt = entry.at
        } else if head.contains(.closed) {
            progress.closedAt = try reader.distance(from: entry.at)
        }
        if head.contains(.refunded) { progress.refunded = try reader.zigZag() }
        progress.draws = head.contains(.draws) ? try draws(&reader) : entry.moves.draws
        return progress
    }

    private static func draws(_ reader: inout ByteReader) throws(CodecError) -> Few<Draw> {
        var draws: Few<Draw> = []
        for _ in 0..<(try reader.count(ofAtLeast: 1)) { draws.append(try draw(&reader)) }
        return draws
    }

    @inline(__always)
    static func draw(_ reader: inout ByteReader) throws(CodecError) -> Draw {
        let bits = try reader.varint()
        var draw = Draw(grant: try grantNumber(bits >> 2), held: 0, consumed: 0)
        if bits & 1 != 0 { draw.held = try reader.zigZag() }
        if bits & 2 != 0 { draw.consumed = try reader.zigZag() }
        return draw
    }

    private static func quantities(_ reader: inout ByteReader) throws(CodecError) -> [Quantity] {
        let count = try reader.count(ofAtLeast: 2)
        var quantities: [Quantity] = []
        quantities.reserveCapacity(count)
        for _ in 0..<count {
            let unit = try reader.unit()
            quantities.append(Quantity(unit: unit, count: try reader.zigZag()))
        }
        return quantities
    }

    /// A price that could not have come from a catalog is refused here, so that no later sum meets one.
    private static func price(_ reader: inout ByteReader) throws(CodecError) -> FeaturePrice {
        let feature = try reader.text()
        var units: [UnitPrice] = []
        var qualityPercent: [Int64] = []
        for _ in 0..<(try reader.count(ofAtLeast: 3)) {
            let name = try reader.text()
            let tiers = try tiers(&reader)
            if !tiers.isEmpty {
                units.append(UnitPrice(unit: name, tiers: tiers))
                continue
            }
            let amountMicros = try reader.zigZag()
            let unit = UnitPrice(unit: name, amountMicros: amountMicros, per: try reader.zigZag())
            guard unit.amountMicros >= 0, unit.per > 0 else { throw .invalid(field: .price) }
            units.append(unit)
        }
        for _ in 0..<(try reader.count(ofAtLeast: 1)) {
            let percent = try reader.zigZag()
            guard percent >= 0 else { throw .invalid(field: .price) }
            qualityPercent.append(percent)
        }
        var fixedMicros: Int64?
        switch try reader.byte() {
        case 0: break
        case 1: fixedMicros = try reader.zigZag()
        default: throw .invalid(field: .flags)
        }
        let minimumMicros = try reader.zigZag()
        guard fixedMicros ?? 0 >= 0, minimumMicros >= 0 else { throw .invalid(field: .price) }
        return FeaturePrice(
            feature: feature, units: units, qualityPercent: qualityPercent, fixedMicros: fixedMicros,
            minimumMicros: minimumMicros)
    }

    private static func tiers(_ reader: inout ByteReader) throws(CodecError) -> [PriceTier] {
        var tiers: [PriceTier] = []
        for _ in 0..<(try reader.count(ofAtLeast: 7)) {
            var tier = PriceTier(name: try reader.text(), from: try reader.zigZag(), amountMicros: 0)
            tier.amountMicros = try reader.zigZag()
            tier.per = try reader.zigZag()
            tier.fixedMicros = try reader.zigZag()
            tier.minimumMicros = try reader.zigZag()
            tier.maximumMicros = try reader.zigZag()
            let amounts = [tier.amountMicros, tier.fixedMicros, tier.minimumMicros, tier.maximumMicros]
            guard tier.per > 0, tier.from >= 0, amounts.allSatisfy({ $0 >= 0 }),
                tiers.last.map({ $0.from < tier.from }) ?? true
            else { throw .invalid(field: .price) }
            tiers.append(tier)
        }
        return tiers
    }

    private static func refusal(_ reader: inout ByteReader) throws(CodecError) -> Refusal {
        switch try reader.byte() {
        case 1:
            let needed = try reader.zigZag()
            return .insufficientCredits(neededMicros: needed, availableMicros: try reader.zigZag())
        case 2: return .reservationNotFound
        case 3:
            guard let state = ReservationState(rawValue: try reader.byte()) else { throw .invalid(field: .state) }
            return .reservationClosed(state)
        case 4: return .idReused
        case 5: return .refundExceedsCommitted(refundableMicros: try reader.zigZag())
        case 6: return .price(.unknownUnit(try reader.text()))
        case 7: return .price(.negativeQuantity(unit: try reader.text()))
        case 8: return .price(.overflow(unit: try reader.text()))
        case 9: return .overflow
        case 10: return .price(.unknownFeature)
        case 11: return .expiryPassed
        case 12: return .aiDisabled
        case 13: return .hardLimitReached(try limitReached(&reader))
        case 14: return .grantNotFound
        case 15: return .planNotFound
        case 16: return .noCycle
        case 17: return .noSubscription
        case 18: return .price(.noQuantities)
        default: throw .invalid(field: .refusal)
        }
    }
}
