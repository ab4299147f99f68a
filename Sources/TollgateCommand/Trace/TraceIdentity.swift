import Ledger

/// Makes the ids of a trace's reservations out of the trace alone, so that the same trace run again sends the same steps.
///
/// A UUID of version 7 (RFC 9562, section 5.7): the row's time in milliseconds, 12 bits of the run's hash, 24 bits of the row's
/// number, 38 more bits of the hash. Ids of one run rise with the rows of a trace that is in order of time.
struct TraceIdentity {
    private let hash: UInt64

    /// The ids of a run of this name.
    init(run: String) {
        // FNV-1a, 64 bits, then mixed: names that differ in their last letter must differ in all bits.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in run.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
        self.hash = hash ^ hash >> 33
    }

    /// The id of the reservation of row `number`, counted from 0.
    func id(of row: TraceRow, number: Int) -> StepID {
        precondition(number < 1 << 24, "A row's number has 24 bits.")
        let milliseconds = UInt64(row.timeMicroseconds / 1_000) & 0xFFFF_FFFF_FFFF
        return StepID(
            high: milliseconds << 16 | 0x7000 | hash >> 52,
            low: 1 << 63 | UInt64(number) << 38 | hash & (1 << 38 - 1))
    }
}
