import Storage

extension KeyDigest {
    /// The digest of a key's text.
    init(of key: UnsafeRawBufferPointer) {
        self = SHA256.withDigest(of: key) { KeyDigest($0)! }
    }
}
