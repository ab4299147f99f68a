import Protobuf

/// GetBalance of one tenant after the other. What must be there: credits, and kinds of credits whose sums they are.
final class BalanceScript: CallScript {
    private var turns: TenantTurns

    init(tenants count: Int) { turns = TenantTurns(count: count) }

    func write(_ lane: LanePointer) -> (method: Method, tenant: Int) {
        // A GetBalanceRequest has no fields: the head alone, with length 0.
        _ = lane.pointee.request.extend(by: StepTemplates.headByteCount)
        StepTemplates.writeHead(of: lane.pointee.request)
        return (.balance, turns.next())
    }

    func fault(_ lane: LanePointer, _ message: UnsafeRawBufferPointer) -> String? {
        do throws(WireError) {
            var reader = try WireReader(message)
            guard try reader.nextTag() == 1 << 3 | 2 else { return "GetBalance: the answer has no balance" }
            return try fault(inBalance: try reader.lengthDelimited())
        } catch {
            return "the answer cannot be read: \(error)"
        }
    }

    private func fault(inBalance message: UnsafeRawBufferPointer) throws(WireError) -> String? {
        var available: Int64 = 0
        var held: Int64 = 0
        var availableByKind: Int64 = 0
        var heldByKind: Int64 = 0
        var reader = try WireReader(message)
        while let tag = try reader.nextTag() {
            switch tag {
            case 1 << 3: available = try reader.int64()
            case 2 << 3: held = try reader.int64()
            case 3 << 3 | 2:
                // Of a KindBalance, 2 and 3 are what is available and held.
                var kind = try WireReader(try reader.lengthDelimited())
                while let tag = try kind.nextTag() {
                    switch tag {
                    case 2 << 3: availableByKind &+= try kind.int64()
                    case 3 << 3: heldByKind &+= try kind.int64()
                    default: try kind.pass(tag)
                    }
                }
            default: try reader.pass(tag)
            }
        }
        guard available > 0, available == availableByKind, held == heldByKind else {
            return "GetBalance: \(available) available and \(held) held; "
                + "by kind \(availableByKind) available and \(heldByKind) held"
        }
        return nil
    }

    func advance(_ lane: LanePointer, succeeded: Bool) {}

    func owes(_ lane: LanePointer) -> Bool { false }
}
