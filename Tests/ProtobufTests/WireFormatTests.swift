import Protobuf
import Testing

/// The bytes that the specification gives for each form of field, and the rules for reading what may be written otherwise.
struct WireFormatTests {
    /// A name, a message and its bytes.
    typealias Case = (name: String, message: AllTypes, bytes: [UInt8])

    static let golden: [Case] = [
        ("nothing", AllTypes(), []),
        ("double", .with { $0.doubleValue = 1 }, [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]),
        ("minus zero", .with { $0.doubleValue = -0.0 }, [0x09, 0, 0, 0, 0, 0, 0, 0, 0x80]),
        ("float", .with { $0.floatValue = -2 }, [0x15, 0, 0, 0, 0xC0]),
        ("int32", .with { $0.int32Value = 150 }, [0x18, 0x96, 0x01]),
        ("negative int32", .with { $0.int32Value = -1 }, [0x18] + [UInt8](repeating: 0xFF, count: 9) + [0x01]),
        ("int64", .with { $0.int64Value = .min }, [0x20] + [UInt8](repeating: 0x80, count: 9) + [0x01]),
        ("uint64", .with { $0.uint64Value = .max }, [0x30] + [UInt8](repeating: 0xFF, count: 9) + [0x01]),
        ("sint32", .with { $0.sint32Value = -1 }, [0x38, 0x01]),
        ("lowest sint32", .with { $0.sint32Value = .min }, [0x38, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
        ("sint64", .with { $0.sint64Value = 2 }, [0x40, 0x04]),
        ("fixed32", .with { $0.fixed32Value = 0x0102_0304 }, [0x4D, 4, 3, 2, 1]),
        ("sfixed64", .with { $0.sfixed64Value = -2 }, [0x61, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("bool", .with { $0.boolValue = true }, [0x68, 0x01]),
        ("string", .with { $0.stringValue = "testing" }, [0x72, 0x07] + Array("testing".utf8)),
        ("bytes", .with { $0.bytesValue = [0xFF, 0] }, [0x7A, 0x02, 0xFF, 0]),
        ("enum", .with { $0.color = .deepBlue }, [0x80, 0x01, 0x05]),
        ("enum without a name", .with { $0.color = .unrecognized(9) }, [0x80, 0x01, 0x09]),
        ("optional that is zero", .with { $0.maybeInt32 = 0 }, [0xA8, 0x01, 0x00]),
        ("empty message", .with { $0.inner = .init() }, [0xFA, 0x01, 0x00]),
        ("packed", .with { $0.int32s = [3, 270, 86942] }, [0xDA, 0x02, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05]),
        ("unpacked", .with { $0.unpacked = [1, 2] }, [0x80, 0x04, 0x01, 0x80, 0x04, 0x02]),
        (
            "map", .with { $0.counts = ["b": 2, "a": 0] },
            [0xBA, 0x04, 0x05, 0x0A, 1, 0x61, 0x10, 0, 0xBA, 0x04, 0x05, 0x0A, 1, 0x62, 0x10, 2]
        ),
        ("oneof that is zero", .with { $0.choice = .choiceNumber(0) }, [0x88, 0x05, 0x00]),
        ("highest field number", .with { $0.last = 1 }, [0xFD, 0xFF, 0xFF, 0xFF, 0x0F, 1, 0, 0, 0]),
    ]

    @Test(arguments: golden.indices)
    func hasTheseBytes(_ index: Int) throws {
        let (name, message, bytes) = Self.golden[index]
        #expect(message.wireBytes() == bytes, "\(name)")
        #expect(try AllTypes(wireBytes: bytes) == message, "\(name)")
    }

    @Test(arguments: [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000])
    func lengthsOfNestedMessagesTakeAsManyBytesAsTheyNeed(_ count: Int) throws {
        let text = String(repeating: "x", count: count)
        let message = AllTypes.with { outer in
            outer.child = .with { $0.child = .with { $0.stringValue = text } }
            outer.last = 7
        }
        let again = try AllTypes(wireBytes: message.wireBytes())
        #expect(again == message)
        #expect(again.child?.child?.stringValue == text)
        #expect(again.last == 7)
    }

    @Test func numbersMayBePackedOrNot() throws {
        // Field 43 is packed and field 64 is not, but either is read both ways, and mixed.
        #expect(try AllTypes(wireBytes: [0xD8, 0x02, 1, 0xDA, 0x02, 2, 2, 3, 0xD8, 0x02, 4]).int32s == [1, 2, 3, 4])
        #expect(try AllTypes(wireBytes: [0x82, 0x04, 2, 5, 6]).unpacked == [5, 6])
        #expect(try AllTypes(wireBytes: [0xDA, 0x02, 0]).int32s == [])
    }

    @Test func theLastValueWins() throws {
        #expect(try AllTypes(wireBytes: [0x18, 1, 0x18, 2]).int32Value == 2)
        #expect(try AllTypes(wireBytes: [0x18, 1, 0x18, 0]).int32Value == 0)
        let choice = try AllTypes(wireBytes: [0x88, 0x05, 1, 0x92, 0x05, 1, 0x61]).choice
        #expect(choice == .choiceText("a"))
    }

    @Test func membersOfAOneofMergeOnlyWithTheirOwnKind() throws {
        let number = AllTypes.with { $0.choice = .choiceInner(.with { $0.selfField = 1 }) }.wireBytes()
        let flag = AllTypes.with { $0.choice = .choiceInner(.with { $0.writer = true }) }.wireBytes()
        let other = AllTypes.with { $0.choice = .choiceText("") }.wireBytes()
        let merged = AllTypes.Inner.with {
            $0.selfField = 1
            $0.writer = true
        }
        #expect(try AllTypes(wireBytes: number + flag).choice == .choiceInner(merged))
        #expect(try AllTypes(wireBytes: number + other + flag).choice == .choiceInner(.with { $0.writer = true }))
    }

    @Test func anotherWireTypeMakesAFieldUnknown() throws {
        // Field 3 is a varint; here it comes as a string, with a group inside a group behind it.
        let bytes: [UInt8] = [0x1A, 1, 0x61, 0x9B, 0x06, 0x9B, 0x06, 0x08, 1, 0x9C, 0x06, 0x9C, 0x06]
        let message = try AllTypes(wireBytes: bytes)
        #expect(message.int32Value == 0)
        #expect(message.unknownFields.bytes == bytes)
        #expect(message.wireBytes() == bytes)
        #expect(message != AllTypes())
    }

    @Test func aMapsEntryMayLackEitherSideAndCarryMore() throws {
        #expect(try AllTypes(wireBytes: [0xBA, 0x04, 0]).counts == ["": 0])
        #expect(try AllTypes(wireBytes: [0xBA, 0x04, 2, 0x10, 5]).counts == ["": 5])
        #expect(try AllTypes(wireBytes: [0xBA, 0x04, 7, 0x10, 5, 0x1A, 0, 0x0A, 1, 0x61]).counts == ["a": 5])
        #expect(try AllTypes(wireBytes: [0xBA, 0x04, 2, 0x10, 5, 0xBA, 0x04, 2, 0x10, 6]).counts == ["": 6])
    }

    @Test func varintsAreCutToTheirType() throws {
        let large: [UInt8] = [0x81, 0x80, 0x80, 0x80, 0x10]
        #expect(try AllTypes(wireBytes: [0x18] + large).int32Value == 1)
        #expect(try AllTypes(wireBytes: [0x28] + large).uint32Value == 1)
        #expect(try AllTypes(wireBytes: [0x68, 0x80, 0x02]).boolValue)
        #expect(try AllTypes(wireBytes: [0x18, 0x81, 0x80, 0x00]).int32Value == 1)
        #expect(try AllTypes(wireBytes: [0x98, 0x80, 0x00, 0x07]).int32Value == 7)
    }

    @Test func aWriterKeepsRoomForAFramesHead() {
        let message = AllTypes.with { $0.stringValue = String(repeating: "a", count: 1000) }
        var writer = WireWriter(reservedPrefix: 5)
        message.encode(to: &writer)
        #expect(writer.bytes() == [0, 0, 0, 0, 0] + message.wireBytes())
        writer.withUnsafeMutableBytes { $0[4] = 9 }
        writer.removeAll(keepingPrefix: 5)
        AllTypes.with { $0.boolValue = true }.encode(to: &writer)
        #expect(writer.bytes() == [0, 0, 0, 0, 9, 0x68, 1])
        var bytes: [UInt8] = [7]
        message.encode(appendingTo: &bytes)
        #expect(bytes == [7] + message.wireBytes())
    }

    @Test func enumsKeepNamesAliasesAndStrangers() {
        #expect(Color.crimson == .red)
        #expect(Color(rawValue: -1) == .negative)
        #expect(Color(rawValue: 1).protoName == "COLOR_RED")
        #expect(Color(rawValue: 77) == .unrecognized(77))
        #expect(Color(rawValue: 77).protoName == nil)
        #expect(AllTypes.Inner.Level.high.rawValue == 7)
    }
}
