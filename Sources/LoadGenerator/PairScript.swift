import Protobuf

/// Reserve, then Commit of it, for one tenant after the other.
final class PairScript: CallScript {
    private let pairs: StepPairs
    private var turns: TenantTurns
    private var tenants: [Int]
    /// The tenant of the modest lanes, after all others.
    private let modestTenant: Int

    init(lanes: Int, tenants count: Int) {
        modestTenant = count
        pairs = StepPairs(places: lanes, framing: .call)
        turns = TenantTurns(count: count)
        tenants = [Int](repeating: 0, count: lanes)
    }

    func write(_ lane: LanePointer) -> (method: Method, tenant: Int) {
        let number = lane.pointee.number
        pairs.append(number, to: &lane.pointee.request, nowNs: lane.pointee.beganNs)
        if pairs.isOpen(number) { return (.commit, tenants[number]) }
        tenants[number] = lane.pointee.isModest ? modestTenant : turns.next()
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
