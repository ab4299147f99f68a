import Engine
import Ledger
import Protobuf
import RPC

extension StepKind {
    /// The tag of the request among the choices of `Step`, and of the answer among those of `StepResult`.
    var tag: UInt32 {
        switch self {
        case .reserve: 10
        case .commit: 18
        case .release: 26
        case .refund: 34
        case .extend: 42
        case .charge: 50
        }
    }
}

/// The answers of steps, written as `ReserveResponse`, `CommitResponse` and so on would write themselves: what all of them
/// have is filled in here, so that each is the same the first time and every time after. By hand, since to make the
/// messages first costs more than all else that is done for an answer; `StepAnswerTests` holds it against them.
extension WireWriter {
    /// The fields of the step's answer.
    mutating func put(_ answer: borrowing StepAnswer, replayed: Bool, to kind: StepKind) {
        // Taken out once: it is a copy.
        let reservation = answer.reservation
        if let reservation { write(nested: 10) { $0.put(reservation) } }
        let balance = answer.balance
        write(nested: 18) { writer in
            writer.write(unlessZero: balance.available, tag: 8)
            writer.write(unlessZero: balance.held, tag: 16)
        }
        write(unlessZero: replayed ? 1 : 0, tag: 24)
        // Under the name that the answer has for the credits that the step moved; an extension moves none.
        if kind != .extend { write(unlessZero: answer.amount, tag: 32) }
        if kind == .commit, reservation?.progress.late ?? false { write(unlessZero: 1, tag: 40) }
    }

    /// The fields of a `tollgate.v1.Reservation`, without the quantities, labels and comment that steps leave out.
    private mutating func put(_ reservation: borrowing Ledger.Reservation) {
        let id = reservation.id
        write(byteCount: StepID.textByteCount, tag: 10) { id.writeText(to: $0) }
        write(unlessZero: Int64(reservation.progress.state.rawValue), tag: 16)
        write(unlessEmpty: reservation.terms.feature, tag: 26)
        write(unlessEmpty: reservation.terms.actor, tag: 34)
        write(unlessZero: reservation.progress.held, tag: 40)
        write(unlessZero: reservation.progress.committed, tag: 48)
        write(unlessZero: reservation.progress.refunded, tag: 56)
        put(reservation.progress.expiresAt, tag: 66)
        put(reservation.createdAt, tag: 74)
        if let closedAt = reservation.progress.closedAt { put(closedAt, tag: 82) }
        write(unlessZero: reservation.progress.late ? 1 : 0, tag: 88)
        write(unlessZero: Int64(reservation.terms.quality.rawValue), tag: 96)
        write(unlessZero: Int64(reservation.terms.priceVersion), tag: 104)
    }

    /// A `google.protobuf.Timestamp`.
    mutating func put(_ instant: Instant, tag: UInt32) {
        let time = Timestamp(instant)
        write(nested: tag) { writer in
            writer.write(unlessZero: time.seconds, tag: 8)
            writer.write(unlessZero: Int64(time.nanos), tag: 16)
        }
    }

    /// The fields of a `tollgate.v1.StepResult` for a step that was refused or failed.
    mutating func put(_ error: RPCError) { write(message: error.status, tag: 122) }
}
