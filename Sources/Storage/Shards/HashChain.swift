import COpenSSL

/// 128 bits of SHA-256.
struct ChainHash: Equatable, Sendable {
    static let byteCount = 16

    var high: UInt64
    var low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Nil where there are not exactly 16 bytes.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount else { return nil }
        high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// As they lie in memory.
    var words: (UInt64, UInt64) { (high.bigEndian, low.bigEndian) }

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: words, body)
    }

    var bytes: [UInt8] { withBytes { Array($0) } }
}

/// Chains a book's entries: each hash covers the one before it and the entry's bytes, the first one the tenant's name, so
/// that a book that was edited by hand, or put in the place of another, shows.
enum HashChain {
    /// What stands before the first entry of a tenant's book.
    static func origin(of tenant: TenantID) -> ChainHash {
        Array("tollgate book of \(tenant)".utf8).readable { digest(nil, $0) }
    }

    static func link(_ previous: ChainHash, _ body: UnsafeRawBufferPointer) -> ChainHash {
        digest(previous, body)
    }

    /// With the state on the stack: see `COpenSSL/shim.h`.
    private static func digest(_ previous: ChainHash?, _ body: UnsafeRawBufferPointer) -> ChainHash {
        withUnsafeTemporaryAllocation(byteCount: Int(SHA256_DIGEST_LENGTH), alignment: 8) { digest in
            var state = SHA256_CTX()
            SHA256_Init(&state)
            previous?.withBytes { _ = SHA256_Update(&state, $0.baseAddress, $0.count) }
            SHA256_Update(&state, body.baseAddress, body.count)
            SHA256_Final(digest.assumingMemoryBound(to: UInt8.self).baseAddress, &state)
            return ChainHash(UnsafeRawBufferPointer(rebasing: digest[..<ChainHash.byteCount]))!
        }
    }
}
