import Synchronization

/// Why an overloaded server refuses a call.
enum Refusal: CaseIterable {
    /// As many calls are under way as may.
    case tooManyCalls
    /// The caller's tenant has its share of what may be under way.
    case share
    /// The call would wait too long for its turn, or take the room in which others wait.
    case line
    /// The call has waited too long.
    case wait
    /// The caller's tenant has cancelled too many calls.
    case cancels
    /// Too much of requests that are not whole is kept already.
    case requestBytes
}

/// How often each happened since the start.
final class RefusalCounts: Sendable {
    private let tooManyCalls = Atomic(0)
    private let share = Atomic(0)
    private let line = Atomic(0)
    private let wait = Atomic(0)
    private let cancels = Atomic(0)
    private let requestBytes = Atomic(0)

    func count(_ refusal: Refusal) {
        switch refusal {
        case .tooManyCalls: tooManyCalls.wrappingAdd(1, ordering: .relaxed)
        case .share: share.wrappingAdd(1, ordering: .relaxed)
        case .line: line.wrappingAdd(1, ordering: .relaxed)
        case .wait: wait.wrappingAdd(1, ordering: .relaxed)
        case .cancels: cancels.wrappingAdd(1, ordering: .relaxed)
        case .requestBytes: requestBytes.wrappingAdd(1, ordering: .relaxed)
        }
    }

    func count(of refusal: Refusal) -> Int {
        switch refusal {
        case .tooManyCalls: tooManyCalls.load(ordering: .relaxed)
        case .share: share.load(ordering: .relaxed)
        case .line: line.load(ordering: .relaxed)
        case .wait: wait.load(ordering: .relaxed)
        case .cancels: cancels.load(ordering: .relaxed)
        case .requestBytes: requestBytes.load(ordering: .relaxed)
        }
    }

    var all: Int { Refusal.allCases.reduce(0) { $0 + count(of: $1) } }
}
