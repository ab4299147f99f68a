import Engine
import Ledger
import Protobuf
import RPC
import TollgateSchema

extension StepBalance {
    init(_ balance: BalanceAfter) {
        self.init()
        availableMicros = balance.available
        heldMicros = balance.held
    }
}

extension TollgateSchema.Reservation {
    init(_ reservation: Ledger.Reservation) {
        self.init()
        let progress = reservation.progress
        reservationID = reservation.id.description
        state = ReservationState(rawValue: Int32(progress.state.rawValue))
        feature = reservation.terms.feature
        actor = reservation.terms.actor
        heldMicros = progress.held
        committedMicros = progress.committed
        refundedMicros = progress.refunded
        expireTime = Timestamp(progress.expiresAt)
        createTime = Timestamp(reservation.createdAt)
        if let closedAt = progress.closedAt { closeTime = Timestamp(closedAt) }
        late = progress.late
        quality = TollgateSchema.Quality(reservation.terms.quality)
        priceVersion = reservation.terms.priceVersion
        for quantity in reservation.terms.quantities { quantities[quantity.unit] = quantity.count }
        for label in reservation.terms.labels { labels[label.key] = label.value }
        comment = reservation.terms.comment
    }
}

extension TollgateSchema.Grant {
    init(_ grant: Ledger.Grant) {
        self.init()
        grantID = grant.id.description
        kind = TollgateSchema.GrantKind(rawValue: Int32(grant.kind.rawValue))
        amountMicros = grant.amount
        availableMicros = grant.available
        heldMicros = grant.held
        consumedMicros = grant.consumed
        expiredMicros = grant.expired
        createTime = Timestamp(grant.createdAt)
        if let expiresAt = grant.expiresAt { expireTime = Timestamp(expiresAt) }
        comment = grant.comment
        refundedMicros = grant.refunded
        paidMicros = grant.paid
        origin = GrantOrigin(rawValue: Int32(grant.origin.rawValue))
        if let revokedAt = grant.revokedAt { revokeTime = Timestamp(revokedAt) }
    }
}

extension Timestamp {
    init(_ instant: Instant) {
        let (seconds, rest) = instant.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        if rest < 0 {
            self.init(seconds: seconds - 1, nanos: Int32(rest + 1_000_000) * 1_000)
        } else {
            self.init(seconds: seconds, nanos: Int32(rest) * 1_000)
        }
    }
}
