import HTTP2

/// What is known of a call from its headers alone. Calls with the same headers share it: what was read and admitted once
/// is neither read nor looked up again for as long as it holds.
///
/// `Sendable` since all but `admission` is immutable, and that is touched on the loop's thread alone.
final class RequestHead: @unchecked Sendable {
    /// Whom the interceptors let in, and when.
    struct Admission {
        /// Who calls, as they found out.
        let principal: (any AnyObject & Sendable)?
        /// `ServerCore.admissionEpoch` before they looked.
        let epoch: UInt64
        /// What their tenant takes of the loop.
        let share: CallShare
    }

    /// The received headers.
    let headers: HTTP2Headers
    /// What is called.
    let method: RegisteredMethod
    /// How long the caller waits; nil where it did not say.
    let timeoutNs: Int64?
    /// Nil before the interceptors let such a call in, and where each call must be looked at by itself.
    @exclusivity(unchecked) var admission: Admission?

    init(headers: HTTP2Headers, method: RegisteredMethod, timeoutNs: Int64?) {
        self.headers = headers
        self.method = method
        self.timeoutNs = timeoutNs
    }
}

/// The heads of a loop's latest calls, to be found by the bytes of a header block. Confined to the loop's thread.
///
/// Only what was admitted stands here. A block holds its caller's key: a found block was compared in constant time, with
/// bytes whose key the interceptors had accepted, and an epoch that has changed sends its call to them again.
struct HeadTable {
    /// Each head stands in one of two neighbours.
    private var slots = [RequestHead?](repeating: nil, count: Limits.keptHeads)

    /// The head of these headers, if it is remembered.
    func find(_ block: HTTP2HeaderBlock) -> RequestHead? {
        let slot = HeadTable.slot(block.tableHash)
        if let head = slots[slot], block.isSame(as: head.headers) { return head }
        if let head = slots[slot ^ 1], block.isSame(as: head.headers) { return head }
        return nil
    }

    /// Remembers a head; an older one may have to go.
    mutating func keep(_ head: RequestHead) {
        guard head.headers.arenaBytes <= Limits.keptHeadBytes else { return }
        let slot = head.headers.withBlock { HeadTable.slot($0.tableHash) }
        slots[slot ^ 1] = slots[slot]
        slots[slot] = head
    }

    private static func slot(_ hash: UInt64) -> Int { Int(hash >> 40) & (Limits.keptHeads - 1) }
}
