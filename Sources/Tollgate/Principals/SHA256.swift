import COpenSSL

/// SHA-256 by OpenSSL, with its state on the stack: see `COpenSSL/shim.h`.
enum SHA256 {
    static let byteCount = 32

    /// Calls `body` with the 32 bytes of the digest.
    static func withDigest<Result>(
        of bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 8) { digest in
            var state = SHA256_CTX()
            SHA256_Init(&state)
            SHA256_Update(&state, bytes.baseAddress, bytes.count)
            SHA256_Final(digest.assumingMemoryBound(to: UInt8.self).baseAddress, &state)
            return body(UnsafeRawBufferPointer(digest))
        }
    }
}
