import Glibc
import Protobuf

/// The methods that a run calls.
enum Method: Int, CaseIterable {
    case reserve, commit, batch, meter, balance, echo

    var path: String {
        switch self {
        case .reserve: "/tollgate.v1.Metering/Reserve"
        case .commit: "/tollgate.v1.Metering/Commit"
        case .batch: "/tollgate.v1.Metering/Batch"
        case .meter: "/tollgate.v1.Metering/Meter"
        case .balance: "/tollgate.v1.Credits/GetBalance"
        case .echo: "/tollgate.bench.Echo/Echo"
        }
    }
}

/// What the unary calls of a run say, and what must be answered.
protocol CallScript: AnyObject {
    /// Writes the body of the lane's next call into its request, and says which call of which tenant it is.
    func write(_ lane: LanePointer) -> (method: Method, tenant: Int)
    /// What is wrong with an answer; nil where nothing is.
    func fault(_ lane: LanePointer, _ message: UnsafeRawBufferPointer) -> String?
    /// Goes on to the lane's next call.
    func advance(_ lane: LanePointer, succeeded: Bool)
    /// Whether the lane has something to finish although the run ends.
    func owes(_ lane: LanePointer) -> Bool
}

/// The tenants of a run, each in its turn.
struct TenantTurns {
    let count: Int
    private var last = -1

    init(count: Int) { self.count = count }

    mutating func next() -> Int {
        last = last + 1 == count ? 0 : last + 1
        return last
    }
}

/// Reserve, then Commit of it, for one tenant after the other.
final class PairScript: CallScript {
    private let pairs: StepPairs
    private var turns: TenantTurns
    private var tenants: [Int]

    init(lanes: Int, tenants count: Int) {
        pairs = StepPairs(lanes: lanes, framing: .call)
        turns = TenantTurns(count: count)
        tenants = [Int](repeating: 0, count: lanes)
    }

    func write(_ lane: LanePointer) -> (method: Method, tenant: Int) {
        let number = lane.pointee.number
        pairs.append(number, to: &lane.pointee.request, nowNs: lane.pointee.beganNs)
        if pairs.isOpen(number) { return (.commit, tenants[number]) }
        tenants[number] = turns.next()
        return (.reserve, tenants[number])
    }

    func fault(_ lane: LanePointer, _ message: UnsafeRawBufferPointer) -> String? {
        do throws(WireError) {
            return pairs.fault(lane.pointee.number, try StepAnswer(message))
        } catch {
            return "the answer cannot be read: \(error)"
        }
    }

    func advance(_ lane: LanePointer, succeeded: Bool) { pairs.advance(lane.pointee.number, succeeded: succeeded) }

    func owes(_ lane: LanePointer) -> Bool { pairs.isOpen(lane.pointee.number) }
}

/// The bare echo: what comes back is what was sent.
final class EchoScript: CallScript {
    private let pairs: StepPairs
    private var turns: TenantTurns

    init(lanes: Int, tenants count: Int) {
        pairs = StepPairs(lanes: lanes, framing: .call)
        turns = TenantTurns(count: count)
    }

    func write(_ lane: LanePointer) -> (method: Method, tenant: Int) {
        pairs.append(lane.pointee.number, to: &lane.pointee.request, nowNs: lane.pointee.beganNs)
        return (.echo, turns.next())
    }

    func fault(_ lane: LanePointer, _ message: UnsafeRawBufferPointer) -> String? {
        let sent = UnsafeRawBufferPointer(rebasing: lane.pointee.request.bytes[StepTemplates.headByteCount...])
        guard sent.count == message.count, memcmp(sent.baseAddress!, message.baseAddress!, sent.count) == 0 else {
            return "echo: \(message.count) bytes came back that are not the \(sent.count) that were sent"
        }
        return nil
    }

    func advance(_ lane: LanePointer, succeeded: Bool) {}

    func owes(_ lane: LanePointer) -> Bool { false }
}
