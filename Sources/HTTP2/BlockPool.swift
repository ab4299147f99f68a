import CNghttp2
import Glibc

/// Memory for the nghttp2 sessions of one loop: what one stream gave back the next one takes, without the allocator's
/// locks and lists, which cost more than nghttp2's own work for a small call. Confined to the loop's thread.
///
/// A block begins with 16 bytes that say which size it has; nghttp2 gets what stands behind them.
final class BlockPool {
    /// The blocks of one size that wait to be used again, each holding the address of the next one.
    private struct FreeList {
        var first: UnsafeMutableRawPointer?
        var count = 0
    }

    private static let headBytes = 16
    private static let stepBytes = 64
    private static let sizes = 16

    /// By size in steps of 64 bytes; the first is not used: larger blocks say 0.
    private let lists: UnsafeMutablePointer<FreeList>

    init() {
        lists = .allocate(capacity: Self.sizes + 1)
        lists.initialize(repeating: FreeList(), count: Self.sizes + 1)
    }

    deinit {
        for size in 1...Self.sizes {
            while let block = lists[size].first {
                lists[size].first = block.load(as: UnsafeMutableRawPointer?.self)
                free(block)
            }
        }
        lists.deallocate()
    }

    /// What a session is made with. The pool must outlive the session.
    var allocator: nghttp2_mem {
        nghttp2_mem(
            mem_user_data: UnsafeMutableRawPointer(lists),
            malloc: { size, lists in BlockPool.take(size, lists!) },
            free: { memory, lists in BlockPool.giveBack(memory, lists!) },
            calloc: { count, size, lists in BlockPool.takeZeroed(count, size, lists!) },
            realloc: { memory, size, lists in BlockPool.resize(memory, size, lists!) })
    }

    private static func take(_ byteCount: Int, _ lists: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        let size = max(1, (byteCount + stepBytes - 1) / stepBytes)
        let pooled = size <= sizes
        if pooled {
            let list = lists.assumingMemoryBound(to: FreeList.self) + size
            if let block = list.pointee.first {
                list.pointee.first = block.load(as: UnsafeMutableRawPointer?.self)
                list.pointee.count -= 1
                return marked(block, size)
            }
        }
        guard let block = malloc(headBytes + (pooled ? size * stepBytes : byteCount)) else { return nil }
        return marked(block, pooled ? size : 0)
    }

    /// Notes the block's size in its head.
    private static func marked(_ block: UnsafeMutableRawPointer, _ size: Int) -> UnsafeMutableRawPointer {
        block.storeBytes(of: size, as: Int.self)
        return block + headBytes
    }

    private static func giveBack(_ memory: UnsafeMutableRawPointer?, _ lists: UnsafeMutableRawPointer) {
        guard let memory else { return }
        let block = memory - headBytes
        let size = block.load(as: Int.self)
        let list = lists.assumingMemoryBound(to: FreeList.self) + size
        guard size > 0, list.pointee.count < Limits.sparedBlocksMax else { return free(block) }
        block.storeBytes(of: list.pointee.first, as: UnsafeMutableRawPointer?.self)
        list.pointee.first = block
        list.pointee.count += 1
    }

    private static func takeZeroed(
        _ count: Int, _ size: Int, _ lists: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer? {
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow, let memory = take(byteCount, lists) else { return nil }
        memset(memory, 0, byteCount)
        return memory
    }

    private static func resize(
        _ memory: UnsafeMutableRawPointer?, _ byteCount: Int, _ lists: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer? {
        guard let memory else { return take(byteCount, lists) }
        let block = memory - headBytes
        let size = block.load(as: Int.self)
        if size == 0 { return realloc(block, headBytes + byteCount).map { $0 + headBytes } }
        if byteCount <= size * stepBytes { return memory }
        guard let larger = take(byteCount, lists) else { return nil }
        memcpy(larger, memory, size * stepBytes)
        giveBack(memory, lists)
        return larger
    }
}
