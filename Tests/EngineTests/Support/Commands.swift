import Ledger

/// A time-ordered id; a greater number makes a newer one.
func id(_ number: Int) -> StepID {
    StepID(high: UInt64(number) << 16 | 0x7000, low: UInt64(number))
}

/// An id of version 4, which says nothing of its age.
func randomID(_ number: Int) -> StepID {
    StepID(high: UInt64(number) &* 0x9E37_79B9_0000 << 16 | 0x4000, low: UInt64(number))
}

func grant(_ id: StepID, _ amount: Int64, expiresAt: Instant? = nil) -> Command {
    .grant(GrantCommand(id: id, fingerprint: 1, kind: .gifted, amountMicros: amount, expiresAt: expiresAt))
}

func reserve(_ id: StepID, _ amount: Int64, ttlSeconds: Int64 = 900) -> Command {
    .reserve(
        ReserveCommand(
            id: id, fingerprint: UInt64(amount), ask: .amount(amount), ttlMicroseconds: ttlSeconds * 1_000_000,
            feature: "chat"))
}

func commit(_ reservation: StepID, _ amount: Int64) -> Command {
    .commit(CommitCommand(reservation: reservation, fingerprint: UInt64(amount), ask: .amount(amount)))
}

func refund(_ id: StepID, of reservation: StepID, _ amount: Int64) -> Command {
    .refund(RefundCommand(id: id, reservation: reservation, fingerprint: UInt64(amount), amountMicros: amount))
}
