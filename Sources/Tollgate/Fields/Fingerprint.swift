/// 64 bits that tell the contents of one step's request from those of another: the first 8 bytes of the SHA-256 over
/// all of its fields in a fixed order and form. The same id with another fingerprint is refused, so a field that
/// changes what a step does must be added, and the order of a map's entries must not show.
///
/// Fingerprints are stored for ever: what is added for a request, and in which order, must never change.
package struct Fingerprint: ~Copyable {
    private var base = UnsafeMutableRawPointer.allocate(byteCount: initialByteCount, alignment: 8)
    private var capacity = initialByteCount
    private var count = 0

    /// What the fields of most requests take.
    private static let initialByteCount = 512

    /// `kind` tells calls apart whose fields are the same. A number, once given, is never given to another.
    package init(kind: UInt8) {
        add(byte: kind)
    }

    deinit { base.deallocate() }

    package mutating func add(_ number: Int64) {
        reserve(8)
        base.storeBytes(of: number.littleEndian, toByteOffset: count, as: Int64.self)
        count += 8
    }

    package mutating func add(_ number: UInt64) {
        add(Int64(bitPattern: number))
    }

    package mutating func add(_ flag: Bool) {
        add(byte: flag ? 1 : 0)
    }

    /// A text with its length before it, so that no two lists of texts look alike.
    package mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(BorrowedText(UnsafeRawBufferPointer($0))) }
    }

    /// A text with its length before it.
    mutating func add(_ text: BorrowedText) {
        add(Int64(text.bytes.count))
        guard let bytes = text.bytes.baseAddress else { return }
        reserve(text.bytes.count)
        (base + count).copyMemory(from: bytes, byteCount: text.bytes.count)
        count += text.bytes.count
    }

    package consuming func finish() -> UInt64 {
        SHA256.withDigest(of: UnsafeRawBufferPointer(start: base, count: count)) {
            UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))
        }
    }

    private mutating func add(byte: UInt8) {
        reserve(1)
        base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    private mutating func reserve(_ byteCount: Int) {
        guard capacity - count < byteCount else { return }
        let grown = max(capacity * 2, count + byteCount)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 8)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
        capacity = grown
    }
}
