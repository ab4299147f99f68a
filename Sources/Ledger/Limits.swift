/// The bounds of the core. What would go beyond one is refused or let go of; nothing grows without end.
enum Limits {
    /// Draws that one reservation may be made of. A step that would need more is refused as an overflow: an entry carries
    /// all draws of its reservation and has to fit a journal record.
    static let maxDrawsPerReservation = 16_384
    /// Grants of one tenant. All of them stay in memory.
    static let maxGrants = 1_000_000
    /// Refusals that a tenant's audit trail notes in one hour.
    static let maxRefusalNotesPerHour = 100
    /// Refusals that memory holds although it was not told yet that the shard has them; above it the oldest go.
    static let maxRefusals = 65_536
    /// Steps and reservations that memory holds because they were looked up in the shard; above it the oldest go.
    static let maxAdopted = 1_024
    /// How far back `LedgerState.consumed(since:)` reaches, microseconds.
    static let usageMemoryMicroseconds: Int64 = 62 * 24 * 3600 * 1_000_000
    /// Usage buckets that are kept beyond those that are asked for, before the old ones are cut off together.
    static let maxUsageSlack = 1_024
    /// How many ended holds the queue of holds may carry along where few are open.
    static let minStaleHolds = 64
    /// Places of a table or a queue that are kept although most of them are empty.
    static let fewSlots = 8
    /// Prices among which one is looked for by itself before it is by its feature's name.
    static let maxRecentPrices = 8
    /// What of an encoding gathers on the stack: nearly every record fits, and no more is given there without asking.
    static let writerRoomBytes = 1_024
    /// How long past `LedgerRules.refusalMemoryMicroseconds` a refusal may still be remembered, microseconds.
    static let refusalSlackMicroseconds: Int64 = 24 * 3600 * 1_000_000
}
