import Glibc

/// Bytes that grow at their end and are used again and again without being given back. Whoever owns it frees it.
struct ByteBuffer {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        base = malloc(capacity)
    }

    func deallocate() { free(base) }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    mutating func removeAll() { count = 0 }

    /// Adds so many bytes and returns where they begin, for the caller to fill.
    @inline(__always)
    mutating func extend(by byteCount: Int) -> UnsafeMutableRawPointer {
        if count + byteCount > capacity { grow(to: count + byteCount) }
        defer { count += byteCount }
        return base + count
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        extend(by: bytes.count).copyMemory(from: source, byteCount: bytes.count)
    }

    /// Forgets so many bytes at the beginning.
    mutating func removeFirst(_ byteCount: Int) {
        count -= byteCount
        if count > 0 { memmove(base, base + byteCount, count) }
    }

    private mutating func grow(to needed: Int) {
        capacity = max(capacity * 2, needed)
        base = realloc(base, capacity)
    }
}
