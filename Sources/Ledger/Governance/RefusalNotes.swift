/// How many refusals the audit trail of a tenant still notes in this hour: a caller that is refused without end fills no
/// disk. What is not noted is counted, and told with the next note.
struct RefusalNotes: Sendable {
    private var hour: Int64 = .min
    private var noted = 0
    private(set) var leftOut: UInt32 = 0

    private static let hourMicroseconds: Int64 = 3600 * 1_000_000

    func mayNote(at now: Instant) -> Bool {
        now.microseconds / Self.hourMicroseconds != hour || noted < Limits.maxRefusalNotesPerHour
    }

    /// A refusal was noted, with how many were left out before it.
    mutating func noted(at now: Instant) {
        let hour = now.microseconds / Self.hourMicroseconds
        if hour != self.hour {
            self.hour = hour
            noted = 0
        }
        noted += 1
        leftOut = 0
    }

    mutating func leaveOut() {
        if leftOut < .max { leftOut += 1 }
    }
}
