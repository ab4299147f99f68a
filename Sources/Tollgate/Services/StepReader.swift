import Ledger
import Protobuf
import TollgateSchema

/// Reads the requests of steps: checks every field at the edge and makes the ledger's commands of them.
package struct StepReader: Sendable {
    /// What tells the contents of two kinds of steps apart. Stored within fingerprints: a number is never given anew.
    private enum Kind: UInt8 {
        case reserve = 1
        case charge = 2
        case commit = 3
        case release = 4
        case refund = 5
        case extend = 6
        case grant = 7
    }

    package init() {}

    /// The command of a request. Where that names nobody, who acts is whom the call names.
    package func command(
        _ request: borrowing StepRequest, origin: CallOrigin, prices: TenantPrices
    ) throws(InvalidField) -> Command {
        switch request.kind {
        case .reserve: try reserve(request, origin, prices)
        case .charge: .charge(try opening(request, .charge, origin, prices))
        case .commit: try commit(request, origin)
        case .release: try release(request)
        case .refund: try refund(request)
        case .extend: try extend(request)
        }
    }

    private func reserve(
        _ request: borrowing StepRequest, _ origin: CallOrigin, _ prices: TenantPrices
    ) throws(InvalidField) -> Command {
        var command = try opening(request, .reserve, origin, prices)
        command.minimumMicros = try FieldCheck.optionalAmount(request.minimumMicros, "minimum_micros")
        if case .amount(let asked) = command.ask, let minimum = command.minimumMicros, minimum > asked {
            throw InvalidField("minimum_micros", "must not be more than amount_micros")
        }
        return .reserve(command)
    }

    private func commit(_ request: borrowing StepRequest, _ origin: CallOrigin) throws(InvalidField) -> Command {
        let reservation = try FieldCheck.id(request.reservationID, "reservation_id")
        let id = try FieldCheck.optionalID(request.ownID, "commit_id")
        try FieldCheck.comment(request.comment, "comment")
        let amount = try FieldCheck.plainAmount(request.amountMicros, hasQuantities: !request.quantities.isEmpty)
        let ask: Ask =
            if let amount {
                .amount(amount)
            } else {
                .quantities(try quantities(of: request), quality: .unspecified, price: nil)
            }
        var contents = Fingerprint(kind: Kind.commit.rawValue)
        contents.add(reservation)
        contents.add(ask)
        contents.add(request.partial)
        contents.add(request.comment)
        var command = CommitCommand(
            reservation: reservation, id: id, fingerprint: contents.finish(), ask: ask, partial: request.partial,
            comment: request.comment.string)
        command.origin = origin
        return .commit(command)
    }

    private func release(_ request: borrowing StepRequest) throws(InvalidField) -> Command {
        let reservation = try FieldCheck.id(request.reservationID, "reservation_id")
        try FieldCheck.comment(request.comment, "reason")
        var contents = Fingerprint(kind: Kind.release.rawValue)
        contents.add(reservation)
        contents.add(request.comment)
        return .release(
            ReleaseCommand(
                reservation: reservation, fingerprint: contents.finish(), reason: request.comment.string))
    }

    private func refund(_ request: borrowing StepRequest) throws(InvalidField) -> Command {
        let id = try FieldCheck.id(request.ownID, "refund_id")
        let reservation = try FieldCheck.id(request.reservationID, "reservation_id")
        try FieldCheck.comment(request.comment, "reason")
        let amount = try FieldCheck.optionalAmount(request.amountMicros, "amount_micros")
        var contents = Fingerprint(kind: Kind.refund.rawValue)
        contents.add(reservation)
        contents.add(request.amountMicros)
        contents.add(request.comment)
        return .refund(
            RefundCommand(
                id: id, reservation: reservation, fingerprint: contents.finish(), amountMicros: amount,
                reason: request.comment.string))
    }

    private func extend(_ request: borrowing StepRequest) throws(InvalidField) -> Command {
        let reservation = try FieldCheck.id(request.reservationID, "reservation_id")
        let id = try FieldCheck.optionalID(request.ownID, "extend_id")
        let ttl = try ttl(request.ttl)
        var contents = Fingerprint(kind: Kind.extend.rawValue)
        contents.add(reservation)
        contents.add(ttl)
        return .extend(
            ExtendCommand(reservation: reservation, id: id, fingerprint: contents.finish(), ttlMicroseconds: ttl))
    }

    func grant(_ request: GrantCreditsRequest, actor: String) throws(InvalidField) -> GrantCommand {
        let id = try FieldCheck.id(request.grantID, "grant_id")
        let kind = try FieldCheck.grantKind(request.kind.rawValue)
        let amount = try FieldCheck.amount(request.amountMicros, "amount_micros")
        try FieldCheck.comment(request.comment, "comment")
        let expiry = try FieldCheck.optionalInstant(request.expireTime, "expire_time")
        if let time = request.expireTime, time.nanos % 1_000 != 0 {
            throw InvalidField("expire_time", "must be at whole microseconds")
        }
        var contents = Fingerprint(kind: Kind.grant.rawValue)
        contents.add(Int64(kind.rawValue))
        contents.add(amount)
        contents.add(expiry?.microseconds ?? .min)
        contents.add(request.comment)
        return GrantCommand(
            id: id, fingerprint: contents.finish(), kind: kind, amountMicros: amount, expiresAt: expiry, actor: actor,
            comment: request.comment)
    }

    // MARK: - What reserve, charge and quote share

    private func opening(
        _ request: borrowing StepRequest, _ kind: Kind, _ origin: CallOrigin, _ prices: TenantPrices
    ) throws(InvalidField) -> ReserveCommand {
        let id = try FieldCheck.id(request.reservationID, "reservation_id")
        try FieldCheck.name(request.feature, "feature", maxBytes: Limits.maxFeatureBytes)
        try FieldCheck.name(request.actor, "actor", maxBytes: Limits.maxActorBytes)
        try FieldCheck.comment(request.comment, "comment")
        let actor = request.actor.isEmpty ? origin.actor : request.actor.string
        let labels = try FieldCheck.labels(request.labels)
        let ttl = try ttl(request.ttl)
        let quality = try FieldCheck.quality(request.quality)
        let amount = try FieldCheck.plainAmount(request.amountMicros, hasQuantities: !request.quantities.isEmpty)
        let feature = prices[request.feature]
        let ask: Ask =
            if let amount {
                .amount(amount)
            } else {
                // A feature or unit without a price is refused by the ledger, and so is no quantity where there is no
                // fixed price: it looks first whether the step was done before the catalog changed.
                .quantities(try quantities(of: request), quality: quality, price: feature?.price)
            }

        var contents = Fingerprint(kind: kind.rawValue)
        contents.add(request.feature)
        contents.add(ask)
        contents.add(Int64(quality.rawValue))
        contents.add(request.minimumMicros)
        contents.add(actor)
        contents.add(ttl)
        contents.add(request.comment)
        contents.add(labels)
        var command = ReserveCommand(
            id: id, fingerprint: contents.finish(), ask: ask, ttlMicroseconds: ttl,
            feature: feature?.name ?? request.feature.string, actor: actor, comment: request.comment.string,
            labels: labels)
        command.origin = origin
        return command
    }

    /// What a quote is for: quantities at the tenant's prices, or a plain amount.
    func ask(_ request: QuoteRequest, price: PriceSchedule?) throws(InvalidField) -> Ask {
        try FieldCheck.name(request.feature, "feature", maxBytes: Limits.maxFeatureBytes)
        try FieldCheck.name(request.actor, "actor", maxBytes: Limits.maxActorBytes)
        let quality = try FieldCheck.quality(request.quality.rawValue)
        if let amount = try FieldCheck.plainAmount(request.amountMicros, hasQuantities: !request.quantities.isEmpty) {
            return .amount(amount)
        }
        let quantities = request.quantities.map { Quantity(unit: $0.key, count: $0.value) }
        return .quantities(try FieldCheck.quantities(quantities), quality: quality, price: price)
    }

    private func quantities(of request: borrowing StepRequest) throws(InvalidField) -> [Quantity] {
        try FieldCheck.quantities(request.quantities, areKnown: !request.hasForeignUnits)
    }

    private func ttl(_ ttl: (seconds: Int64, nanos: Int32)?) throws(InvalidField) -> Int64 {
        guard let ttl else { return LedgerRules.defaultTTLMicroseconds }
        return try FieldCheck.ttl(seconds: ttl.seconds, nanos: ttl.nanos)
    }
}

extension Fingerprint {
    /// What is asked, without the price: that is the server's and may change between two tries.
    fileprivate mutating func add(_ ask: Ask) {
        switch ask {
        case .amount(let micros):
            add(true)
            add(micros)
        case .quantities(let quantities, _, _):
            add(false)
            add(quantities)
        }
    }
}

extension FieldCheck {
    /// A moment that may be left out.
    static func optionalInstant(_ time: Timestamp?, _ field: StaticString) throws(InvalidField) -> Instant? {
        guard let time else { return nil }
        return try instant(seconds: time.seconds, nanos: time.nanos, field)
    }
}
