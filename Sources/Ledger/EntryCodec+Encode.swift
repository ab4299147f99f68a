extension EntryCodec {
    static func append(_ entry: Entry, to bytes: inout ByteWriter) {
        let head = head(of: entry)
        bytes.appendVarint(head.rawValue << Head.kindBits | UInt64(entry.kind.rawValue))
        bytes.appendVarint(entry.sequence)
        bytes.appendZigZag(entry.at.microseconds &- epoch.microseconds)
        if head.contains(.fingerprint) { bytes.appendFixed(entry.fingerprint) }
        if head.contains(.reservation) { bytes.append(entry.reservation) }
        if head.contains(.otherKey), let key = entry.key {
            bytes.append(key.family.rawValue)
            bytes.append(key.id)
        }
        if head.contains(.amount) { bytes.appendZigZag(entry.amount) }
        append(entry.moves, to: &bytes)
        bytes.appendZigZag(entry.after.available)
        bytes.appendZigZag(entry.after.held)
        if head.contains(.comment) { bytes.append(entry.comment) }
        if head.contains(.actor) { bytes.append(entry.actor) }
        if let audit = entry.audit { append(audit, to: &bytes) }
        appendDetail(of: entry, to: &bytes)
    }

    private static func head(of entry: Entry) -> Head {
        var head: Head = []
        if entry.reservation != .zero { head.insert(.reservation) }
        if let key = entry.key {
            head.insert(
                key.id == entry.reservation && key.family == Entry.ownFamily(of: entry.kind) ? .ownKey : .otherKey)
        }
        if entry.fingerprint != 0 { head.insert(.fingerprint) }
        if !entry.comment.isEmpty { head.insert(.comment) }
        if !entry.actor.isEmpty { head.insert(.actor) }
        if entry.audit != nil { head.insert(.audit) }
        if entry.amount != entry.moves.amount(of: entry.kind) { head.insert(.amount) }
        if !entry.quantities.isEmpty { head.insert(.quantities) }
        return head
    }

    private static func append(_ moves: Few<Move>, to bytes: inout ByteWriter) {
        bytes.appendVarint(UInt64(moves.count))
        for move in moves {
            let head =
                (move.held != 0 ? 1 : 0) | (move.consumed != 0 ? 2 : 0) | (move.expired != 0 ? 4 : 0)
                | (move.paid != 0 ? 8 : 0)
            bytes.appendVarint(UInt64(move.grant) << 4 | UInt64(head))
            if move.held != 0 { bytes.appendZigZag(move.held) }
            if move.consumed != 0 { bytes.appendZigZag(move.consumed) }
            if move.expired != 0 { bytes.appendZigZag(move.expired) }
            if move.paid != 0 { bytes.appendZigZag(move.paid) }
        }
    }

    private static func appendDetail(of entry: Entry, to bytes: inout ByteWriter) {
        switch (entry.kind, entry.subject) {
        case (.grant, .grant(let grant)):
            append(grant, of: entry, to: &bytes)
        case (.reserve, .opening), (.charge, .opening):
            if let terms = entry.terms { append(terms, to: &bytes) }
            append(entry.progress, of: entry, to: &bytes)
        case (.commit, .progress), (.partialCommit, .progress), (.release, .progress), (.holdExpiry, .progress),
            (.extend, .progress), (.refund, .progress):
            append(entry.progress, of: entry, to: &bytes)
            if !entry.quantities.isEmpty { append(entry.quantities, to: &bytes) }
        case (.price, .price(let version, let price)):
            bytes.appendVarint(UInt64(version))
            append(price, to: &bytes)
        case (.refusal, .refusal(let refusal)):
            append(refusal, to: &bytes)
        case (.setting, .change(let change)), (.subscription, .change(let change)), (.cycle, .change(let change)),
            (.window, .change(let change)):
            append(change, to: &bytes)
        case (.grantExpiry, .nothing), (.grantRevocation, .nothing), (.note, .nothing):
            break
        default:
            preconditionFailure("an entry with another kind's detail")
        }
    }

    private static func append(_ grant: Grant, of entry: Entry, to bytes: inout ByteWriter) {
        precondition(
            grant.available == grant.amount && grant.refunded == 0 && grant.revokedAt == nil, "a grant that is not new")
        var head: GrantHead = []
        if grant.id == entry.key?.id, grant.createdAt == entry.at, grant.amount == entry.amount { head.insert(.plain) }
        if grant.expiresAt != nil { head.insert(.expires) }
        if !grant.comment.isEmpty { head.insert(.comment) }
        if grant.origin != .granted { head.insert(.origin) }
        bytes.append(head.rawValue)
        bytes.appendVarint(UInt64(grant.number))
        bytes.append(grant.kind.rawValue)
        if !head.contains(.plain) {
            bytes.append(grant.id)
            bytes.appendDistance(from: entry.at, to: grant.createdAt)
            bytes.appendZigZag(grant.amount)
        }
        if let expiresAt = grant.expiresAt { bytes.appendDistance(from: entry.at, to: expiresAt) }
        if !grant.comment.isEmpty { bytes.append(grant.comment) }
        if grant.origin != .granted { bytes.append(grant.origin.rawValue) }
    }

    private static func append(_ terms: ReservationTerms, to bytes: inout ByteWriter) {
        var head: TermsHead = []
        if !terms.feature.isEmpty { head.insert(.feature) }
        if !terms.actor.isEmpty { head.insert(.actor) }
        if !terms.comment.isEmpty { head.insert(.comment) }
        if !terms.labels.isEmpty { head.insert(.labels) }
        if !terms.quantities.isEmpty { head.insert(.quantities) }
        if terms.quality != .unspecified { head.insert(.quality) }
        if terms.priceVersion != 0 { head.insert(.price) }
        bytes.append(head.rawValue)
        if !terms.feature.isEmpty { bytes.append(terms.feature) }
        if !terms.actor.isEmpty { bytes.append(terms.actor) }
        if !terms.comment.isEmpty { bytes.append(terms.comment) }
        if !terms.labels.isEmpty {
            bytes.appendVarint(UInt64(terms.labels.count))
            for label in terms.labels {
                bytes.append(label.key)
                bytes.append(label.value)
            }
        }
        if !terms.quantities.isEmpty { append(terms.quantities, to: &bytes) }
        if terms.quality != .unspecified { bytes.append(terms.quality.rawValue) }
        if terms.priceVersion != 0 { bytes.appendVarint(UInt64(terms.priceVersion)) }
    }

    private static func append(_ progress: ReservationProgress, of entry: Entry, to bytes: inout ByteWriter) {
        var head = ProgressHead(rawValue: progress.state.rawValue)
        if progress.late { head.insert(.late) }
        if progress.closedAt != nil { head.insert(.closed) }
        if progress.closedAt == entry.at { head.insert(.closedHere) }
        if progress.refunded != 0 { head.insert(.refunded) }
        if !entry.moves.leadTo(progress.draws) { head.insert(.draws) }
        bytes.append(head.rawValue)
        bytes.appendDistance(from: entry.at, to: progress.expiresAt)
        if let closedAt = progress.closedAt, closedAt != entry.at {
            bytes.appendDistance(from: entry.at, to: closedAt)
        }
        if progress.refunded != 0 { bytes.appendZigZag(progress.refunded) }
        guard head.contains(.draws) else { return }
        bytes.appendVarint(UInt64(progress.draws.count))
        for draw in progress.draws {
            bytes.appendVarint(UInt64(draw.grant) << 2 | (draw.held != 0 ? 1 : 0) | (draw.consumed != 0 ? 2 : 0))
            if draw.held != 0 { bytes.appendZigZag(draw.held) }
            if draw.consumed != 0 { bytes.appendZigZag(draw.consumed) }
        }
    }

    private static func append(_ quantities: [Quantity], to bytes: inout ByteWriter) {
        bytes.appendVarint(UInt64(quantities.count))
        for index in quantities.indices {
            bytes.append(unit: quantities[index].unit)
            bytes.appendZigZag(quantities[index].count)
        }
    }

    private static func append(_ price: FeaturePrice, to bytes: inout ByteWriter) {
        bytes.append(price.feature)
        bytes.appendVarint(UInt64(price.units.count))
        for unit in price.units {
            bytes.append(unit.unit)
            bytes.appendVarint(UInt64(unit.tiers.count))
            if unit.tiers.isEmpty {
                bytes.appendZigZag(unit.amountMicros)
                bytes.appendZigZag(unit.per)
            }
            for tier in unit.tiers { append(tier, to: &bytes) }
        }
        bytes.appendVarint(UInt64(price.qualityPercent.count))
        for percent in price.qualityPercent { bytes.appendZigZag(percent) }
        bytes.append(price.fixedMicros == nil ? 0 : 1)
        if let fixedMicros = price.fixedMicros { bytes.appendZigZag(fixedMicros) }
        bytes.appendZigZag(price.minimumMicros)
    }

    private static func append(_ tier: PriceTier, to bytes: inout ByteWriter) {
        bytes.append(tier.name)
        bytes.appendZigZag(tier.from)
        bytes.appendZigZag(tier.amountMicros)
        bytes.appendZigZag(tier.per)
        bytes.appendZigZag(tier.fixedMicros)
        bytes.appendZigZag(tier.minimumMicros)
        bytes.appendZigZag(tier.maximumMicros)
    }

    private static func append(_ refusal: Refusal, to bytes: inout ByteWriter) {
        switch refusal {
        case .insufficientCredits(let needed, let available):
            bytes.append(1)
            bytes.appendZigZag(needed)
            bytes.appendZigZag(available)
        case .reservationNotFound:
            bytes.append(2)
        case .reservationClosed(let state):
            bytes.append(3)
            bytes.append(state.rawValue)
        case .idReused:
            bytes.append(4)
        case .refundExceedsCommitted(let refundable):
            bytes.append(5)
            bytes.appendZigZag(refundable)
        case .price(.unknownUnit(let unit)):
            bytes.append(6)
            bytes.append(unit)
        case .price(.negativeQuantity(let unit)):
            bytes.append(7)
            bytes.append(unit)
        case .price(.overflow(let unit)):
            bytes.append(8)
            bytes.append(unit)
        case .overflow:
            bytes.append(9)
        case .price(.unknownFeature):
            bytes.append(10)
        case .expiryPassed:
            bytes.append(11)
        case .aiDisabled:
            bytes.append(12)
        case .hardLimitReached(let limit):
            bytes.append(13)
            append(limit, to: &bytes)
        case .grantNotFound:
            bytes.append(14)
        case .planNotFound:
            bytes.append(15)
        case .noCycle:
            bytes.append(16)
        case .noSubscription:
            bytes.append(17)
        case .price(.noQuantities):
            bytes.append(18)
        }
    }
}
