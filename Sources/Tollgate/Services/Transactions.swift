import Ledger
import Protobuf
import Storage
import TollgateSchema

extension Transaction {
    /// - Parameter kinds: the kinds of the tenant's grants, by number from 1.
    init(_ stored: StoredEntry, kinds: [Ledger.GrantKind]) {
        self.init()
        let entry = stored.entry
        sequence = entry.sequence
        time = Timestamp(entry.at)
        kind = entry.kind == .grantRevocation ? .grantRevocation : TransactionKind(rawValue: Int32(entry.kind.rawValue))
        direction = entry.kind.direction
        status = entry.kind.status
        amountMicros = entry.amount
        availableChangeMicros = entry.availableChange
        comment = entry.comment
        balance = StepBalance(entry.after)
        if entry.reservation != .zero { reservationID = entry.reservation.description }
        if let key = entry.key, key.family != .anonymousPartial { stepID = key.id.description }
        sources = entry.sources(kinds: kinds)
        hash = stored.hash
        actor = entry.actor
        if case .grant(let grant) = entry.detail { comment = grant.comment }
        if let terms = stored.terms { add(terms, isOpening: entry.kind == .reserve || entry.kind == .charge) }
        if case .progress(let progress, let used) = entry.detail {
            late = progress.late
            for quantity in used { quantities[quantity.unit] = quantity.count }
        }
    }

    /// What the reservation was made with; its comment and quantities belong to its opening alone.
    private mutating func add(_ terms: ReservationTerms, isOpening: Bool) {
        feature = terms.feature
        actor = terms.actor
        quality = TollgateSchema.Quality(terms.quality)
        priceVersion = terms.priceVersion
        for label in terms.labels { labels[label.key] = label.value }
        guard isOpening else { return }
        comment = terms.comment
        for quantity in terms.quantities { quantities[quantity.unit] = quantity.count }
    }
}

extension EntryKind {
    fileprivate var direction: TransactionDirection {
        switch self {
        case .reserve, .charge, .commit, .partialCommit, .grantExpiry, .grantRevocation: .debit
        case .grant, .release, .holdExpiry, .refund: .credit
        case .extend, .price, .refusal, .setting, .subscription, .cycle, .window, .note: .unspecified
        }
    }

    fileprivate var status: TransactionStatus {
        switch self {
        case .reserve, .partialCommit, .extend: .pending
        case .charge, .commit: .done
        case .release, .holdExpiry, .refund: .failed
        case .grant, .grantExpiry, .grantRevocation, .price, .refusal: .unspecified
        case .setting, .subscription, .cycle, .window, .note: .unspecified
        }
    }
}

extension Entry {
    /// By how much it changed what is available.
    fileprivate var availableChange: Int64 {
        moves.reduce(kind == .grant ? amount : 0) { $0 + $1.available }
    }

    /// From or to which kinds of credits its amount went, in the order in which the grants were drawn.
    fileprivate func sources(kinds: [Ledger.GrantKind]) -> [KindAmount] {
        if case .grant(let grant) = detail {
            return [
                .with {
                    $0.kind = TollgateSchema.GrantKind(grant.kind); $0.amountMicros = amount
                }
            ]
        }
        var sources: [KindAmount] = []
        for move in moves {
            let part = part(of: move)
            let number = Int(move.grant)
            guard part != 0, kinds.indices.contains(number - 1) else { continue }
            let kind = TollgateSchema.GrantKind(kinds[number - 1])
            if let index = sources.firstIndex(where: { $0.kind == kind }) {
                sources[index].amountMicros += part
            } else {
                sources.append(
                    .with {
                        $0.kind = kind
                        $0.amountMicros = part
                    })
            }
        }
        return sources
    }

    /// The part of the entry's amount that one grant carries.
    private func part(of move: Move) -> Int64 {
        switch kind {
        case .reserve: move.held
        case .release, .holdExpiry: -move.held
        case .charge, .commit, .partialCommit: move.consumed
        case .refund: -move.consumed
        case .grantExpiry, .grantRevocation: move.expired
        case .grant, .extend, .price, .refusal, .setting, .subscription, .cycle, .window, .note: 0
        }
    }
}

extension TollgateSchema.GrantKind {
    init(_ kind: Ledger.GrantKind) {
        self.init(rawValue: Int32(kind.rawValue))
    }
}

extension TransactionQuery {
    init(_ request: ListTransactionsRequest) throws(InvalidField) {
        let start = try FieldCheck.optionalInstant(request.startTime, "start_time")
        let end = try FieldCheck.optionalInstant(request.endTime, "end_time")
        try FieldCheck.range(start: start, end: end)
        try FieldCheck.name(request.actor, "actor", maxBytes: Limits.maxActorBytes)
        try FieldCheck.name(request.feature, "feature", maxBytes: Limits.maxFeatureBytes)
        // Prices and what else moves no credits is no transaction.
        let kinds = Set(EntryKind.allCases).subtracting([
            .price, .refusal, .setting, .subscription, .cycle, .window, .note,
        ])
        self.init(
            before: try numberCursor(request.pageToken, of: .transactions), from: start, to: end,
            actor: request.actor.isEmpty ? nil : request.actor,
            feature: request.feature.isEmpty ? nil : request.feature, kinds: kinds,
            limit: try FieldCheck.pageSize(request.pageSize))
    }
}

extension ReservationQuery {
    init(_ request: ListReservationsRequest) throws(InvalidField) {
        try FieldCheck.name(request.actor, "actor", maxBytes: Limits.maxActorBytes)
        try FieldCheck.name(request.feature, "feature", maxBytes: Limits.maxFeatureBytes)
        let state = try request.state.rawValue == 0 ? nil : Self.state(request.state.rawValue)
        self.init(
            state: state, before: try numberCursor(request.pageToken, of: .reservations),
            limit: try FieldCheck.pageSize(request.pageSize))
    }

    private static func state(_ rawValue: Int32) throws(InvalidField) -> Ledger.ReservationState {
        guard let state = UInt8(exactly: rawValue).flatMap(Ledger.ReservationState.init(rawValue:)) else {
            throw InvalidField("state", "is none of the states")
        }
        return state
    }
}

extension ListReservationsRequest {
    /// The filters that the book is not asked for.
    func matches(_ reservation: Ledger.Reservation) -> Bool {
        (actor.isEmpty || reservation.terms.actor == actor) && (feature.isEmpty || reservation.terms.feature == feature)
    }
}
