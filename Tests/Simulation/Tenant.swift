import Engine
import Ledger
import Storage

/// A tenant as the world outside knows it: what was sent for it, what was answered, and what its book must hold.
///
/// `@unchecked Sendable`: a simulation has one thread.
final class Tenant: @unchecked Sendable {
    let id: TenantID
    var book = PlainBook()
    /// What was sent under each key: more than once with other contents, where a caller is confused.
    var sent: [StepKey: [Command]] = [:]
    /// By how many calls a step may still be done, by its fingerprint: those to which the server of now has said nothing final.
    private var doers: [StepKey: [UInt64: Int]] = [:]
    /// The first answer that a caller got.
    var answers: [StepKey: StepAnswer] = [:]
    /// Steps of which some caller was told that they are new: that can happen once.
    var toldNew: Set<StepKey> = []
    /// Everything that was ever sent under a key, the oldest first.
    var history: [Command] = []
    /// Reservations that somebody was told of.
    var opened: [StepID] = []
    /// Reservations that somebody asked for, and grants.
    var openings: [StepID] = []
    var grantIDs: [StepID] = []
    /// The last entry that any read has shown.
    var shown: UInt64 = 0
    /// What keeps steps of a few calls in order, and which of its calls is the next.
    var stream: StepStream?

    init(_ number: Int) { id = TenantID("tenant-\(number)")! }

    /// - Parameter isOwed: The courier brings it, and nobody else ever sends it.
    func remember(_ command: Command, isOwed: Bool) {
        guard let key = command.key else { return }
        doers[key, default: [:]][command.fingerprint, default: 0] += 1
        if !(sent[key] ?? []).contains(where: { $0.fingerprint == command.fingerprint }) {
            sent[key, default: []].append(command)
        }
        if isOwed { return }
        history.append(command)
        switch command {
        case .reserve(let reserve), .charge(let reserve): openings.append(reserve.id)
        case .grant(let grant): grantIDs.append(grant.id)
        default: break
        }
    }

    /// One of the calls that asked for this step does no more.
    func isOver(_ command: Command) {
        guard let key = command.key else { return }
        doers[key]?[command.fingerprint]? -= 1
    }

    /// All the calls are over, as the server is.
    func allAreOver() { doers = [:] }

    func mayBeDone(_ key: StepKey, _ fingerprint: UInt64) -> Bool { doers[key]?[fingerprint] ?? 0 > 0 }

    func command(_ key: StepKey, _ fingerprint: UInt64) -> Command? {
        sent[key]?.first { $0.fingerprint == fingerprint }
    }
}

/// Calls whose steps are taken in the order of the calls.
///
/// `@unchecked Sendable`: a simulation has one thread.
final class StepStream: @unchecked Sendable {
    let order: StepOrder
    private(set) var callCount = 0
    private var spans: [Int: ClosedRange<UInt64>] = [:]

    init() { order = StepOrder() }

    func nextCall() -> Int {
        callCount += 1
        return callCount
    }

    /// A call's new entries; false where they do not stand in the order of the calls.
    func note(_ call: Int, _ span: ClosedRange<UInt64>) -> Bool {
        spans[call] = span
        return spans.allSatisfy { other, range in
            other == call || (other < call ? range.upperBound < span.lowerBound : range.lowerBound > span.upperBound)
        }
    }
}

/// A call that a caller made and has no answer to yet.
struct Call: Sendable {
    let tenant: Tenant
    let commands: [Command]
    /// The process that was asked.
    let life: Int
    /// The journal's end when it was made.
    let durable: UInt64
    var stream: (StepStream, call: Int)?
    /// Who waits for it; nil for somebody who never goes.
    var caller: Caller?
    /// The note that the courier brings with it.
    var errand: StepID?
}
