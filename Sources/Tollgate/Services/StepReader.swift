import Ledger
import Protobuf
import TollgateSchema

/// Reads the requests of steps: checks every field at the edge and makes the ledger's commands of them.
struct StepReader: Sendable {
    let catalog: Catalog

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

    func reserve(_ request: ReserveRequest, actor: String) throws(InvalidField) -> Command {
        var command = try opening(request, .reserve, actor: actor)
        command.minimumMicros = try FieldCheck.optionalAmount(request.minimumMicros, "minimum_micros")
        if case .amount(let asked) = command.ask, let minimum = command.minimumMicros, minimum > asked {
            throw InvalidField("minimum_micros", "must not be more than amount_micros")
        }
        return .reserve(command)
    }

    func charge(_ request: ChargeRequest, actor: String) throws(InvalidField) -> Command {
        .charge(try opening(request, .charge, actor: actor))
    }

    func commit(_ request: CommitRequest) throws(InvalidField) -> Command {
        let reservation = try FieldCheck.id(request.reservationID, "reservation_id")
        let id = try FieldCheck.optionalID(request.commitID, "commit_id")
        try FieldCheck.comment(request.comment, "comment")
        let amount = try FieldCheck.plainAmount(request.amountMicros, hasQuantities: !request.quantities.isEmpty)
        let ask: Ask =
            if let amount {
                .amount(amount)
            } else {
                .quantities(try FieldCheck.quantities(request.quantities), quality: .unspecified, price: nil)
            }
        var contents = Fingerprint(kind: Kind.commit.rawValue)
        contents.add(reservation)
        contents.add(ask)
        contents.add(request.partial)
        contents.add(request.comment)
        return .commit(
            CommitCommand(
                reservation: reservation, id: id, fingerprint: contents.finish(), ask: ask, partial: request.partial,
                comment: request.comment))
    }

    func release(_ request: ReleaseRequest) throws(InvalidField) -> Command {
        let reservation = try FieldCheck.id(request.reservationID, "reservation_id")
        try FieldCheck.comment(request.reason, "reason")
        var contents = Fingerprint(kind: Kind.release.rawValue)
        contents.add(reservation)
        contents.add(request.reason)
        return .release(
            ReleaseCommand(reservation: reservation, fingerprint: contents.finish(), reason: request.reason))
    }

    func refund(_ request: RefundRequest) throws(InvalidField) -> Command {
        let id = try FieldCheck.id(request.refundID, "refund_id")
        let reservation = try FieldCheck.id(request.reservationID, "reservation_id")
        try FieldCheck.comment(request.reason, "reason")
        let amount = try FieldCheck.optionalAmount(request.amountMicros, "amount_micros")
        var contents = Fingerprint(kind: Kind.refund.rawValue)
        contents.add(reservation)
        contents.add(request.amountMicros)
        contents.add(request.reason)
        return .refund(
            RefundCommand(
                id: id, reservation: reservation, fingerprint: contents.finish(), amountMicros: amount,
                reason: request.reason))
    }

    func extend(_ request: ExtendRequest) throws(InvalidField) -> Command {
        let reservation = try FieldCheck.id(request.reservationID, "reservation_id")
        let id = try FieldCheck.optionalID(request.extendID, "extend_id")
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
        _ request: some OpeningRequest, _ kind: Kind, actor defaultActor: String
    ) throws(InvalidField) -> ReserveCommand {
        let id = try FieldCheck.id(request.reservationID, "reservation_id")
        try FieldCheck.name(request.feature, "feature", maxBytes: Limits.maxFeatureBytes)
        try FieldCheck.name(request.actor, "actor", maxBytes: Limits.maxActorBytes)
        try FieldCheck.comment(request.comment, "comment")
        let actor = request.actor.isEmpty ? defaultActor : request.actor
        let labels = try FieldCheck.labels(request.labels)
        let ttl = try ttl(request.ttl)
        let quality = try FieldCheck.quality(request.quality.rawValue)
        let ask = try ask(feature: request.feature, request.quantities, request.amountMicros, quality)

        var contents = Fingerprint(kind: kind.rawValue)
        contents.add(request.feature)
        contents.add(ask)
        contents.add(Int64(quality.rawValue))
        contents.add(request.minimumMicros)
        contents.add(actor)
        contents.add(ttl)
        contents.add(request.comment)
        contents.add(labels)
        return ReserveCommand(
            id: id, fingerprint: contents.finish(), ask: ask, ttlMicroseconds: ttl, feature: request.feature,
            actor: actor, comment: request.comment, labels: labels)
    }

    /// What is asked: quantities at the rate card's price of now, or a plain amount.
    func ask(
        feature: String, _ counts: [String: Int64], _ amountMicros: Int64, _ quality: Ledger.Quality
    ) throws(InvalidField) -> Ask {
        if let amount = try FieldCheck.plainAmount(amountMicros, hasQuantities: !counts.isEmpty) {
            return .amount(amount)
        }
        let quantities = try FieldCheck.quantities(counts)
        // A feature or unit without a price is refused by the ledger, which looks first whether the step was done before
        // the catalog changed.
        let price = catalog.price(of: feature)
        return .quantities(quantities, quality: quality, price: price)
    }

    /// A quote but for what the tenant has.
    func quote(_ request: QuoteRequest) throws(InvalidField) -> QuoteResponse {
        try FieldCheck.name(request.feature, "feature", maxBytes: Limits.maxFeatureBytes)
        let quality = try FieldCheck.quality(request.quality.rawValue)
        var quote = QuoteResponse()
        switch try ask(feature: request.feature, request.quantities, request.amountMicros, quality) {
        case .amount(let micros):
            quote.amountMicros = micros
        case .quantities(let quantities, let quality, let price):
            do throws(PricingError) {
                guard let price else { throw .unknownFeature }
                quote.lines = try price.lines(for: quantities, quality: quality).map(TollgateSchema.PriceLine.init)
                quote.amountMicros = try price.cost(for: quantities, quality: quality)
            } catch {
                throw InvalidField(error)
            }
        }
        return quote
    }

    private func ttl(_ duration: ProtoDuration?) throws(InvalidField) -> Int64 {
        guard let duration else { return LedgerRules.defaultTTLMicroseconds }
        return try FieldCheck.ttl(seconds: duration.seconds, nanos: duration.nanos)
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

/// The fields that the openings of a reservation have in common.
protocol OpeningRequest {
    var reservationID: String { get }
    var feature: String { get }
    var quantities: [String: Int64] { get }
    var quality: TollgateSchema.Quality { get }
    var amountMicros: Int64 { get }
    var minimumMicros: Int64 { get }
    var actor: String { get }
    var ttl: ProtoDuration? { get }
    var comment: String { get }
    var labels: [String: String] { get }
}

extension ReserveRequest: OpeningRequest {}

extension ChargeRequest: OpeningRequest {
    /// A charge is whole or refused.
    var minimumMicros: Int64 { 0 }
}
