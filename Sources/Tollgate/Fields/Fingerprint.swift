/// 64 bits that tell the contents of one step's request from those of another: the first 8 bytes of the SHA-256 over
/// all of its fields in a fixed order and form. The same id with another fingerprint is refused, so a field that
/// changes what a step does must be added, and the order of a map's entries must not show.
///
/// Fingerprints are stored for ever: what is added for a request, and in which order, must never change.
package struct Fingerprint: ~Copyable {
    private var bytes: [UInt8] = []

    /// `kind` tells calls apart whose fields are the same. A number, once given, is never given to another.
    package init(kind: UInt8) {
        bytes.reserveCapacity(256)
        bytes.append(kind)
    }

    package mutating func add(_ number: Int64) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func add(_ number: UInt64) {
        add(Int64(bitPattern: number))
    }

    package mutating func add(_ flag: Bool) {
        bytes.append(flag ? 1 : 0)
    }

    /// A text with its length before it, so that no two lists of texts look alike.
    package mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            add(Int64(utf8.count))
            bytes.append(contentsOf: utf8)
        }
    }

    package consuming func finish() -> UInt64 {
        bytes.withUnsafeBytes { content in
            SHA256.withDigest(of: content) { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        }
    }
}
