import Protobuf

/// A Batch of reserves, then a Batch of their commits, for one tenant after the other.
final class BatchScript: CallScript {
    private let pairs: StepPairs
    private let batchSize: Int
    private var turns: TenantTurns
    private var tenants: [Int]

    init(lanes: Int, tenants count: Int, batchSize: Int) {
        pairs = StepPairs(places: lanes * batchSize, framing: .batch)
        self.batchSize = batchSize
        turns = TenantTurns(count: count)
        tenants = [Int](repeating: 0, count: lanes)
    }

    /// The places of the lane's batch in `pairs`; all of them are at the same point of their pairs.
    private func places(_ lane: LanePointer) -> Range<Int> {
        let first = lane.pointee.number * batchSize
        return first..<first + batchSize
    }

    func write(_ lane: LanePointer) -> (method: Method, tenant: Int) {
        let number = lane.pointee.number
        if !owes(lane) { tenants[number] = turns.next() }
        let nowNs = lane.pointee.beganNs
        _ = lane.pointee.request.extend(by: StepTemplates.headByteCount)
        for place in places(lane) { pairs.append(place, to: &lane.pointee.request, nowNs: nowNs) }
        StepTemplates.writeHead(of: lane.pointee.request)
        return (.batch, tenants[number])
    }

    func fault(_ lane: LanePointer, _ message: UnsafeRawBufferPointer) -> String? {
        do throws(WireError) {
            var place = places(lane).lowerBound
            let end = places(lane).upperBound
            var reader = try WireReader(message)
            while let tag = try reader.nextTag() {
                guard tag == 1 << 3 | 2 else {
                    try reader.pass(tag)
                    continue
                }
                guard place < end else { return "Batch: more results than steps" }
                if let fault = try StepResultReader.fault(try reader.lengthDelimited(), of: place, pairs) {
                    return fault
                }
                place += 1
            }
            return place == end ? nil : "Batch: \(end - place) results of \(batchSize) are missing"
        } catch {
            return "the answer cannot be read: \(error)"
        }
    }

    func advance(_ lane: LanePointer, succeeded: Bool) {
        for place in places(lane) { pairs.advance(place, succeeded: succeeded) }
    }

    func owes(_ lane: LanePointer) -> Bool { pairs.isOpen(places(lane).lowerBound) }
}
