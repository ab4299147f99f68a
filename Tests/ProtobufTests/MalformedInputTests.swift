import Testing

@testable import Protobuf

/// Bytes that are no message, each with the error that says so.
struct MalformedInputTests {
    /// A name for what is wrong, the bytes, and the error.
    typealias Case = (name: String, bytes: [UInt8], error: WireError)

    static let cases: [Case] = [
        ("field number 0", [0x00], .invalidTag),
        ("field number 0 of a string", [0x02, 0x00], .invalidTag),
        ("field number 0 in two bytes", [0x80, 0x00], .invalidTag),
        ("wire type 6", [0x0E], .invalidTag),
        ("wire type 7", [0x0F], .invalidTag),
        ("a group that ends and never began", [0x0C], .invalidTag),
        ("a group that never ends", [0x9B, 0x06, 0x08, 0x01], .truncated),
        ("a group that ends as another one", [0x9B, 0x06, 0xA4, 0x06], .invalidTag),
        ("a tag above 32 bits", [0xF8, 0xFF, 0xFF, 0xFF, 0x1F], .invalidTag),
        ("a tag of six bytes", [0x88, 0x80, 0x80, 0x80, 0x80, 0x00], .invalidTag),
        ("a tag cut off", [0x80], .truncated),
        ("a varint cut off", [0x20, 0x80], .truncated),
        ("a varint missing", [0x20], .truncated),
        ("a varint of eleven bytes", [0x20] + [UInt8](repeating: 0x80, count: 10) + [0x01], .malformedVarint),
        ("a varint above 64 bits", [0x20] + [UInt8](repeating: 0xFF, count: 9) + [0x02], .malformedVarint),
        ("an unknown varint of eleven bytes", [0x98, 0x06] + [UInt8](repeating: 0x80, count: 11), .malformedVarint),
        ("four bytes cut off", [0x4D, 1, 2, 3], .truncated),
        ("eight bytes cut off", [0x51, 1, 2, 3, 4, 5, 6, 7], .truncated),
        ("a string longer than the message", [0x72, 0x05, 0x61], .truncated),
        ("a string of 2^63 bytes", [0x72] + [UInt8](repeating: 0x80, count: 9) + [0x01], .truncated),
        ("a string of 2^64-1 bytes", [0x72] + [UInt8](repeating: 0xFF, count: 9) + [0x01], .truncated),
        ("bytes longer than the message", [0x7A, 0x02, 0x61], .truncated),
        ("a message longer than the message around it", [0xFA, 0x01, 0x03, 0x0A, 0x00], .truncated),
        ("a field longer than its message", [0xFA, 0x01, 0x02, 0x0A, 0x05, 1, 2, 3, 4, 5], .truncated),
        ("a packed field cut off", [0xDA, 0x02, 0x02, 0x01], .truncated),
        ("a packed varint cut off", [0xDA, 0x02, 0x01, 0x80], .truncated),
        ("a packed fixed number cut off", [0x8A, 0x03, 0x03, 1, 2, 3], .truncated),
        ("a map's entry cut off", [0xBA, 0x04, 0x05, 0x0A, 0x01], .truncated),
        ("a map's key that is no UTF-8", [0xBA, 0x04, 0x03, 0x0A, 0x01, 0xFF], .invalidUTF8),
        ("a lone continuation byte", [0x72, 0x01, 0x80], .invalidUTF8),
        ("an overlong slash", [0x72, 0x02, 0xC0, 0xAF], .invalidUTF8),
        ("half of a surrogate pair", [0x72, 0x03, 0xED, 0xA0, 0x80], .invalidUTF8),
        ("a code point above U+10FFFF", [0x72, 0x04, 0xF4, 0x90, 0x80, 0x80], .invalidUTF8),
        ("a character cut off", [0x72, 0x02, 0xE2, 0x82], .invalidUTF8),
    ]

    @Test(arguments: cases.indices)
    func isAnError(_ index: Int) {
        let (name, bytes, error) = Self.cases[index]
        #expect(throws: error, "\(name)") { try AllTypes(wireBytes: bytes) }
    }

    /// Messages inside each other, so many levels deep, by the field `child` (32).
    private func nested(_ levels: Int) -> [UInt8] {
        var writer = AllTypes()
        for _ in 0..<levels {
            let inner = writer
            writer = AllTypes.with { $0.child = inner }
        }
        return writer.wireBytes()
    }

    @Test func nestingIsBounded() throws {
        _ = try AllTypes(wireBytes: nested(Limits.nestingDepthMax))
        #expect(throws: WireError.tooDeep) { try AllTypes(wireBytes: nested(Limits.nestingDepthMax + 1)) }
    }

    @Test func unknownGroupsAreSkippedToTheSameDepth() throws {
        func groups(_ levels: Int) -> [UInt8] {
            // Field 99, which AllTypes does not have.
            (0..<levels).flatMap { _ in [0x9B, 0x06] as [UInt8] }
                + (0..<levels).flatMap { _ in [0x9C, 0x06] as [UInt8] }
        }
        let message = try AllTypes(wireBytes: groups(Limits.nestingDepthMax))
        #expect(message.wireBytes() == groups(Limits.nestingDepthMax))
        #expect(throws: WireError.tooDeep) { try AllTypes(wireBytes: groups(Limits.nestingDepthMax + 1)) }
        #expect(throws: WireError.tooDeep) { try AllTypes(wireBytes: groups(100_000)) }
    }

    @Test func theNumberOfNestedMessagesIsBounded() throws {
        // Empty messages in field `inners` (63): two bytes of tag, one of length.
        let one: [UInt8] = [0xFA, 0x03, 0x00]
        let many = (0...Limits.nestedMessageCountMax).flatMap { _ in one }
        #expect(throws: WireError.tooLarge) { try AllTypes(wireBytes: many) }
        #expect(try AllTypes(wireBytes: Array(many.dropLast(3))).inners.count == Limits.nestedMessageCountMax)
    }
}
