import HTTP2

/// What is known of a call from its headers alone. Calls with the same headers share it: what was read and admitted once
/// is neither read nor looked up again for as long as it holds.
///
/// `Sendable` since all but whom the interceptors let in is immutable, and that is touched on the loop's thread alone.
final class RequestHead: @unchecked Sendable {
    /// The received headers.
    let headers: HTTP2Headers
    /// What is called.
    let method: RegisteredMethod
    /// How long the caller waits; nil where it did not say.
    let timeoutNs: Int64?
    /// `ServerCore.admissionEpoch` before the interceptors let such a call in; nil before they did, and where each call must
    /// be looked at by itself.
    @exclusivity(unchecked) private(set) var admittedIn: UInt64?
    /// Who calls, as they found out.
    @exclusivity(unchecked) private(set) var principal: (any AnyObject & Sendable)?
    /// What their tenant takes of the loop; nil before they let such a call in.
    @exclusivity(unchecked) private(set) var share: CallShare?

    init(headers: HTTP2Headers, method: RegisteredMethod, timeoutNs: Int64?) {
        self.headers = headers
        self.method = method
        self.timeoutNs = timeoutNs
    }

    /// The interceptors let such a call in.
    func admitted(_ principal: (any AnyObject & Sendable)?, in epoch: UInt64, _ share: CallShare) {
        admittedIn = epoch
        self.principal = principal
        self.share = share
    }
}

/// The heads of a loop's latest calls, to be found by the bytes of a header block. Confined to the loop's thread.
///
/// Only what was admitted stands here. A block holds its caller's key: a found block was compared in constant time, with
/// bytes whose key the interceptors had accepted, and an epoch that has changed sends its call to them again.
struct HeadTable: ~Copyable {
    /// Each head stands in one of two neighbours. The table retains them itself, so that a look at one does not.
    private let slots: UnsafeMutablePointer<Unmanaged<RequestHead>?>

    init() {
        slots = .allocate(capacity: Limits.keptHeads)
        slots.initialize(repeating: nil, count: Limits.keptHeads)
    }

    deinit {
        for slot in 0..<Limits.keptHeads { slots[slot]?.release() }
        slots.deallocate()
    }

    /// The head of these headers, if it is remembered.
    func find(_ block: HTTP2HeaderBlock) -> RequestHead? {
        let slot = HeadTable.slot(block.tableHash)
        return found(block, in: slot) ?? found(block, in: slot ^ 1)
    }

    private func found(_ block: HTTP2HeaderBlock, in slot: Int) -> RequestHead? {
        guard let head = slots[slot], head._withUnsafeGuaranteedRef({ block.isSame(as: $0.headers) }) else {
            return nil
        }
        return head.takeUnretainedValue()
    }

    /// Remembers a head; an older one may have to go.
    mutating func keep(_ head: RequestHead) {
        guard head.headers.arenaBytes <= Limits.keptHeadBytes else { return }
        let slot = head.headers.withBlock { HeadTable.slot($0.tableHash) }
        slots[slot ^ 1]?.release()
        slots[slot ^ 1] = slots[slot]
        slots[slot] = Unmanaged.passRetained(head)
    }

    private static func slot(_ hash: UInt64) -> Int { Int(hash >> 40) & (Limits.keptHeads - 1) }
}
