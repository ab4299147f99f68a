import COpenSSL
import Ledger

/// What the directory knows of a tenant.
package struct TenantRecord: Equatable, Sendable {
    package var id: TenantID
    package var plan: String
    package var displayName: String
    /// An IANA name such as `Europe/Berlin`.
    package var timeZone: String
    package var state: State
    package var createdAt: Instant

    package enum State: UInt8, Sendable {
        case active = 1
        case suspended = 2
    }

    package init(
        id: TenantID, plan: String, displayName: String, timeZone: String, state: State = .active, createdAt: Instant
    ) {
        self.id = id
        self.plan = plan
        self.displayName = displayName
        self.timeZone = timeZone
        self.state = state
        self.createdAt = createdAt
    }
}

/// An API key: never the key itself, only its digest.
package struct KeyRecord: Equatable, Sendable {
    /// What names the key in lists and revocations; not secret.
    package var keyID: String
    /// The only tenant that it is good for; nil for all.
    package var tenant: TenantID?
    package var role: String
    package var name: String
    package var digest: KeyDigest
    package var createdAt: Instant
    /// From then on the key is good for nothing.
    package var revokedAt: Instant?

    package init(
        keyID: String, tenant: TenantID?, role: String, name: String, digest: KeyDigest, createdAt: Instant,
        revokedAt: Instant? = nil
    ) {
        self.keyID = keyID
        self.tenant = tenant
        self.role = role
        self.name = name
        self.digest = digest
        self.createdAt = createdAt
        self.revokedAt = revokedAt
    }
}

/// SHA-256 of an API key, 32 bytes.
package struct KeyDigest: Hashable, Sendable {
    package static let byteCount = 32

    let words: (UInt64, UInt64, UInt64, UInt64)

    /// Nil where there are not exactly 32 bytes.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount else { return nil }
        words = (
            bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
        )
    }

    package init?(_ bytes: [UInt8]) {
        guard let digest = bytes.readable({ KeyDigest($0) }) else { return nil }
        self = digest
    }

    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: words, body)
    }

    /// By the first word alone: whoever can choose it still has to match the rest, which is compared in constant time.
    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

extension KeyDigest {
    /// Takes the same time wherever the digests differ.
    package static func == (a: KeyDigest, b: KeyDigest) -> Bool {
        a.withBytes { a in b.withBytes { b in CRYPTO_memcmp(a.baseAddress, b.baseAddress, byteCount) == 0 } }
    }
}
