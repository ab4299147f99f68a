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

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: (high.bigEndian, low.bigEndian), body)
    }

    var bytes: [UInt8] { withBytes { Array($0) } }
}

/// Chains a book's entries: each hash covers the one before it and the entry's bytes, the first one the tenant's name, so
/// that a book that was edited by hand, or put in the place of another, shows.
///
/// `@unchecked Sendable`: its owner guards it.
final class HashChain: @unchecked Sendable {
    private let context: OpaquePointer
    private let algorithm: OpaquePointer

    init() {
        guard let context = EVP_MD_CTX_new(), let algorithm = EVP_MD_fetch(nil, "SHA256", nil) else {
            preconditionFailure("OpenSSL has SHA-256")
        }
        self.context = context
        self.algorithm = algorithm
    }

    deinit {
        EVP_MD_CTX_free(context)
        EVP_MD_free(algorithm)
    }

    /// What stands before the first entry of a tenant's book.
    func origin(of tenant: TenantID) -> ChainHash {
        Array("tollgate book of \(tenant)".utf8).readable { digest(nil, $0) }
    }

    func link(_ previous: ChainHash, _ body: UnsafeRawBufferPointer) -> ChainHash {
        digest(previous, body)
    }

    private func digest(_ previous: ChainHash?, _ body: UnsafeRawBufferPointer) -> ChainHash {
        var isDone = EVP_DigestInit_ex(context, algorithm, nil) == 1
        if let previous {
            isDone = previous.withBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) } == 1 && isDone
        }
        isDone = EVP_DigestUpdate(context, body.baseAddress, body.count) == 1 && isDone
        return withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { digest in
            isDone = EVP_DigestFinal_ex(context, digest.baseAddress, nil) == 1 && isDone
            precondition(isDone, "SHA-256 of bytes in memory cannot fail")
            return ChainHash(UnsafeRawBufferPointer(rebasing: digest[..<ChainHash.byteCount]))!
        }
    }
}
