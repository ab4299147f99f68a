import Storage
import Testing

@testable import Tollgate

@Suite("Keys are random, shown once and kept as digests")
struct APIKeyTests {
    private let zeros = APIKey(randomBytes: [UInt8](repeating: 0, count: 32))
    private var bytes: [UInt8] { zeros.digest.withBytes { Array($0) } }

    @Test("a key is its prefix and its bytes in hexadecimal digits")
    func text() {
        let key = APIKey(randomBytes: (0..<32).map { UInt8($0 * 8) })
        #expect(key.text == "tg_0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8")
    }

    @Test("no two keys are the same")
    func random() throws {
        let keys = try (0..<100).map { _ in try #require(APIKey.generate()).text }
        #expect(Set(keys).count == 100)
        #expect(keys.allSatisfy { $0.utf8.count == 67 && $0.hasPrefix("tg_") })
    }

    @Test("the digest is the SHA-256 of the key's text")
    func digest() throws {
        // printf 'tg_%064d' 0 | sha256sum
        let expected = "1187853d4265edeccadf9ac668364f0874259b0ade0ef0d7a15383a0a92a70e1"
        let hex = bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        #expect(hex.joined() == expected)
        #expect(KeyDigest(bytes) == zeros.digest)
        #expect(KeyDigest(Array(bytes.dropLast())) == nil)
    }

    @Test("digests are equal only where every byte is")
    func equality() throws {
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            let other = try #require(KeyDigest(changed))
            #expect(other != zeros.digest)
        }
    }

    @Test("a key does not show in a log")
    func hidden() {
        var dumped = ""
        dump(zeros, to: &dumped)
        for text in ["\(zeros)", String(reflecting: zeros), dumped] {
            #expect(!text.contains("000"))
        }
    }

    @Test(
        "an authorization header with a key is taken whatever the scheme's case",
        arguments: ["Bearer ", "bearer ", "BEARER   "])
    func header(scheme: String) {
        #expect(keyDigest(authorization: scheme + zeros.text) == zeros.digest)
    }

    @Test(
        "an authorization header without a key's shape is none",
        arguments: [
            "", "Bearer", "Bearer ", "Basic %", "%", "Bearer%", "Bearer %0", "Bearer  tg_1", "Bearer xx_0", "Bearer % ",
        ])
    func foreignHeader(pattern: String) {
        let header = pattern.replacing("%", with: zeros.text)
        #expect(keyDigest(authorization: header) == nil)
    }
}

@Suite("Permissions are a closed list")
struct PermissionTests {
    @Test("every permission is in the set of all, and its bit is its own")
    func bits() {
        var union: PermissionSet = []
        for permission in Permission.allCases {
            #expect(!union.allows(permission))
            union.insert(PermissionSet(permission))
            #expect(union.allows(permission))
        }
        #expect(union == .all)
        #expect(union.names == Permission.allCases.map(\.rawValue))
    }

    @Test("the roles by default may do what the design says")
    func defaults() {
        let names = Catalog.defaultRoles.mapValues(\.names)
        #expect(
            names == [
                "owner": ["credits.view", "credits.refund", "credits.purchase", "credits.manage", "credits.owner"],
                "admin": ["credits.view", "credits.purchase", "credits.manage"],
                "member": ["credits.view"],
                "service": ["credits.view", "credits.meter"],
                "platform": Permission.allCases.map(\.rawValue),
            ])
    }
}

private func keyDigest(authorization header: String) -> KeyDigest? {
    Array(header.utf8).withUnsafeBytes { KeyDigest(authorization: $0) }
}
