import Glibc

/// The bare echo: what comes back is what was sent.
final class EchoScript: CallScript {
    private let pairs: StepPairs
    private var turns: TenantTurns

    init(lanes: Int, tenants count: Int) {
        pairs = StepPairs(places: lanes, framing: .call)
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
