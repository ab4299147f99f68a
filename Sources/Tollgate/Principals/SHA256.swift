import COpenSSL

/// SHA-256 by OpenSSL. The algorithm is fetched once: fetching it for each digest costs twice what the digest does.
enum SHA256 {
    static let byteCount = 32

    /// OpenSSL's handle of the algorithm.
    ///
    /// `@unchecked Sendable`: OpenSSL never changes what it points to, and it lives as long as the process.
    private struct Algorithm: @unchecked Sendable {
        let handle: OpaquePointer

        init() {
            guard let handle = EVP_MD_fetch(nil, "SHA256", nil) else {
                preconditionFailure("OpenSSL has no SHA-256.")
            }
            self.handle = handle
        }
    }

    private static let algorithm = Algorithm()

    /// Calls `body` with the 32 bytes of the digest.
    static func withDigest<Result>(
        of bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 8) { digest in
            let target = digest.assumingMemoryBound(to: UInt8.self).baseAddress
            let done = EVP_Digest(bytes.baseAddress, bytes.count, target, nil, algorithm.handle, nil)
            precondition(done == 1, "SHA-256 failed: there is no memory.")
            return body(UnsafeRawBufferPointer(digest))
        }
    }
}
