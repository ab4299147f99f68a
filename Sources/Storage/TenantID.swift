/// The name of a tenant, and the only thing of a request that ever reaches a path: `[a-z0-9][a-z0-9-]{0,62}`.
package struct TenantID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let description: String

    /// Nil for anything that is not exactly such a name.
    package init?(_ text: some StringProtocol) {
        self.init(String(text))
    }

    /// Nil for anything that is not exactly such a name. Not generic, as every call that names a tenant comes here.
    package init?(_ text: String) {
        var count = 0
        for byte in text.utf8 {
            let isAlphanumeric =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            guard isAlphanumeric || (count > 0 && byte == UInt8(ascii: "-")) else { return nil }
            count += 1
            guard count <= Self.maxBytes else { return nil }
        }
        guard count > 0 else { return nil }
        description = text
    }

    package static let maxBytes = 63

    /// Reads the name out of a record; nil where the bytes are not one.
    init?(bytes: UnsafeRawBufferPointer) {
        self.init(String(decoding: bytes, as: UTF8.self))
    }

    package static func < (a: TenantID, b: TenantID) -> Bool {
        a.description < b.description
    }

    /// Two hexadecimal digits by which shards are shared out over folders: FNV-1a, which must never change, as `hashValue` does from run to run.
    package var folder: String {
        var hash: UInt32 = 0x811C_9DC5
        for byte in description.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        let folded = UInt8(truncatingIfNeeded: hash ^ hash >> 8 ^ hash >> 16 ^ hash >> 24)
        return (folded < 16 ? "0" : "") + String(folded, radix: 16)
    }
}
