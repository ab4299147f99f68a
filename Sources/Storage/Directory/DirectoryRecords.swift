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
    /// How its subscription stands, as its book said after the last change.
    package var subscription: SubscriptionState
    /// What becomes of plan and subscription by itself; nil where nothing does.
    package var next: Turn?
    package var createdAt: Instant
    /// What it was made with, where that has changed since: to make it again with this is no conflict.
    package internal(set) var origin: Origin?

    package enum State: UInt8, Sendable {
        case active = 1
        case suspended = 2
    }

    /// What holds from a moment on that is known beforehand: the end of a trial, a change at a cycle's end.
    package struct Turn: Equatable, Sendable {
        package var plan: String
        package var subscription: SubscriptionState
        package var at: Instant

        package init(plan: String, subscription: SubscriptionState, at: Instant) {
            self.plan = plan
            self.subscription = subscription
            self.at = at
        }
    }

    /// What a tenant was made with. A class, as most records have none and there may be a million of them.
    package final class Origin: Equatable, Sendable {
        package let plan: String
        package let displayName: String
        package let timeZone: String

        init(plan: String, displayName: String, timeZone: String) {
            self.plan = plan
            self.displayName = displayName
            self.timeZone = timeZone
        }

        package static func == (a: Origin, b: Origin) -> Bool {
            a.plan == b.plan && a.displayName == b.displayName && a.timeZone == b.timeZone
        }
    }

    package init(
        id: TenantID, plan: String, displayName: String, timeZone: String, state: State = .active,
        subscription: SubscriptionState = .active, next: Turn? = nil, createdAt: Instant
    ) {
        self.id = id
        self.plan = plan
        self.displayName = displayName
        self.timeZone = timeZone
        self.state = state
        self.subscription = subscription
        self.next = next
        self.createdAt = createdAt
    }

    /// Plan and subscription as they stand at a moment.
    package func standing(at now: Instant) -> (plan: String, subscription: SubscriptionState) {
        if let next, next.at <= now { return (next.plan, next.subscription) }
        return (plan, subscription)
    }

    /// What it was made with.
    var made: Origin { origin ?? Origin(plan: plan, displayName: displayName, timeZone: timeZone) }
}

/// The id by which services name an end user. Told apart by its bytes: two spellings of one letter are two users here,
/// as they are everywhere else.
package struct MemberID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ text: String) {
        description = text
    }

    package static func == (a: MemberID, b: MemberID) -> Bool {
        a.description.utf8.elementsEqual(b.description.utf8)
    }

    package static func < (a: MemberID, b: MemberID) -> Bool {
        a.description.utf8.lexicographicallyPrecedes(b.description.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in description.utf8 { hasher.combine(byte) }
    }
}

/// An end user of a tenant and its role.
package struct MemberRecord: Equatable, Sendable {
    package var memberID: MemberID
    package var role: String
    package var displayName: String
    package var createdAt: Instant

    package init(memberID: MemberID, role: String, displayName: String, createdAt: Instant) {
        self.memberID = memberID
        self.role = role
        self.displayName = displayName
        self.createdAt = createdAt
    }
}

/// What the directory owes to a tenant's book: it was stored with the change that it tells of, and stays until the book
/// has it. What the body says is the affair of who wrote it.
package struct DirectoryNote: Equatable, Sendable {
    /// The id of the step that brings it into the book.
    package var id: StepID
    package var tenant: TenantID
    package var body: [UInt8]
    package var at: Instant

    package init(id: StepID, tenant: TenantID, body: [UInt8], at: Instant) {
        self.id = id
        self.tenant = tenant
        self.body = body
        self.at = at
    }
}

/// A catalog that was put in force.
package struct CatalogRecord: Equatable, Sendable {
    /// From 1, one more than that before it.
    package var version: Int64
    package var appliedAt: Instant
    package var json: [UInt8]

    package init(version: Int64, appliedAt: Instant, json: [UInt8]) {
        self.version = version
        self.appliedAt = appliedAt
        self.json = json
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
