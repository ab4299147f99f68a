import Ledger
import Testing

@testable import Tollgate

@Suite("A field is checked at the edge and named where it is refused")
struct FieldCheckTests {
    @Test("ids are UUIDs in either case")
    func ids() throws {
        let id = StepID(high: 0x0190_A1B2_C3D4_7E5F, low: 0x8A9B_ACBD_CEDF_0011)
        #expect(try FieldCheck.id("0190a1b2-c3d4-7e5f-8a9b-acbdcedf0011", "refund_id") == id)
        #expect(try FieldCheck.id("0190A1B2-C3D4-7E5F-8A9B-ACBDCEDF0011", "refund_id") == id)
        #expect(try FieldCheck.optionalID("", "commit_id") == nil)
        #expect(throws: InvalidField("refund_id", "is missing")) { try FieldCheck.id("", "refund_id") }
        let foreign = [
            "0190a1b2c3d47e5f8a9bacbdcedf0011", "0190a1b2-c3d4-7e5f-8a9b-acbdcedf001", "x",
            "{0190a1b2-c3d4-7e5f-8a9b-acbdcedf0011}", "0190a1b2-c3d4-7e5f-8a9b-acbdcedf00111",
            "0190a1b2-c3d4-7e5f-8a9b-acbdcedf001g", " 190a1b2-c3d4-7e5f-8a9b-acbdcedf0011",
        ]
        for text in foreign {
            #expect(throws: InvalidField("commit_id", "must be a UUID")) {
                try FieldCheck.optionalID(text, "commit_id")
            }
        }
    }

    @Test("names are bounded in bytes and have no control characters")
    func names() throws {
        try FieldCheck.name("", "actor", maxBytes: 4)
        try FieldCheck.name("éé", "actor", maxBytes: 4)
        #expect(throws: InvalidField("actor", "has more than 4 bytes")) {
            try FieldCheck.name("ééa", "actor", maxBytes: 4)
        }
        for text in ["\0", "a\n", "\u{1F}", "\u{7F}"] {
            #expect(throws: InvalidField("actor", "has a control character")) {
                try FieldCheck.name(text, "actor", maxBytes: 4)
            }
        }
        try FieldCheck.comment("two\nlines", "comment")
        #expect(throws: InvalidField("reason", "has more than 1024 bytes")) {
            try FieldCheck.comment(String(repeating: "r", count: 1_025), "reason")
        }
    }

    @Test("amounts are more than 0, or 0 where none need be named")
    func amounts() throws {
        #expect(try FieldCheck.amount(.max, "amount_micros") == .max)
        #expect(try FieldCheck.optionalAmount(0, "amount_micros") == nil)
        #expect(try FieldCheck.optionalAmount(5, "amount_micros") == 5)
        for micros in [0, -1, Int64.min] {
            #expect(throws: InvalidField("amount_micros", "must be more than 0")) {
                try FieldCheck.amount(micros, "amount_micros")
            }
        }
        #expect(throws: InvalidField("minimum_micros", "must not be negative")) {
            try FieldCheck.optionalAmount(-1, "minimum_micros")
        }
    }

    @Test("a step says how much in one of two ways")
    func plainAmount() throws {
        #expect(try FieldCheck.plainAmount(7, hasQuantities: false) == 7)
        #expect(try FieldCheck.plainAmount(0, hasQuantities: true) == nil)
        // Whether a fixed price does without either is the ledger's to know.
        #expect(try FieldCheck.plainAmount(0, hasQuantities: false) == nil)
        #expect(throws: InvalidField("amount_micros", "must be more than 0")) {
            try FieldCheck.plainAmount(-1, hasQuantities: false)
        }
        for micros: Int64 in [7, -7] {
            #expect(throws: InvalidField("amount_micros", "must not be set beside quantities")) {
                try FieldCheck.plainAmount(micros, hasQuantities: true)
            }
        }
    }

    @Test("quantities are sorted by unit, bounded and not negative")
    func quantities() throws {
        let sorted = [Quantity(unit: "a", count: 0), Quantity(unit: "b", count: .max), Quantity(unit: "c", count: 1)]
        #expect(try quantities(["c": 1, "a": 0, "b": .max]) == sorted)
        #expect(throws: InvalidField("quantities[\"a\"]", "must not be negative")) {
            try quantities(["a": -1])
        }
        #expect(throws: InvalidField("quantities", "has an empty unit")) { try quantities(["": 1]) }
        #expect(throws: InvalidField("quantities", "has a control character")) {
            try quantities(["\n": 1])
        }
        let many = Dictionary(uniqueKeysWithValues: (0..<33).map { ("u\($0)", Int64(1)) })
        #expect(throws: InvalidField("quantities", "has more than 32 entries")) { try quantities(many) }
    }

    @Test("labels are sorted by key and bounded")
    func labels() throws {
        let sorted = [Label(key: "a", value: ""), Label(key: "b", value: "2")]
        #expect(try labels(["b": "2", "a": ""]) == sorted)
        #expect(throws: InvalidField("labels", "has an empty key")) { try labels(["": "1"]) }
        #expect(throws: InvalidField("labels", "has more than 64 bytes")) {
            try labels([String(repeating: "k", count: 65): ""])
        }
        #expect(throws: InvalidField("labels", "has more than 256 bytes")) {
            try labels(["k": String(repeating: "v", count: 257)])
        }
        let many = Dictionary(uniqueKeysWithValues: (0..<17).map { ("k\($0)", "") })
        #expect(throws: InvalidField("labels", "has more than 16 entries")) { try labels(many) }
    }

    @Test("enums are known ones")
    func enums() throws {
        #expect(try (0...3).map { try FieldCheck.quality($0) } == [.unspecified, .cheap, .medium, .best])
        #expect(
            try (1...4).map { try FieldCheck.grantKind($0) } == [.subscription, .purchased, .gifted, .complimentary])
        for value: Int32 in [-1, 4, 256, .max] {
            #expect(throws: InvalidField("quality", "is none of the qualities")) { try FieldCheck.quality(value) }
        }
        #expect(throws: InvalidField("kind", "is missing")) { try FieldCheck.grantKind(0) }
        for value: Int32 in [-1, 5, 257] {
            #expect(throws: InvalidField("kind", "is none of the kinds of grants")) { try FieldCheck.grantKind(value) }
        }
    }

    @Test("moments are of the years 1 to 9999")
    func instants() throws {
        #expect(try FieldCheck.instant(seconds: 0, nanos: 1_999, "to") == Instant(microseconds: 1))
        #expect(
            try FieldCheck.instant(seconds: -62_135_596_800, nanos: 0, "to").microseconds == -62_135_596_800_000_000)
        #expect(
            try FieldCheck.instant(seconds: 253_402_300_799, nanos: 999_999_999, "to").microseconds
                == 253_402_300_799_999_999)
        for (seconds, nanos) in [(253_402_300_800, 0), (Int64.max, 0), (.min, 0), (0, -1), (0, 1_000_000_000)]
            as [(Int64, Int32)]
        {
            #expect(throws: InvalidField("to", "is not a moment of the years 1 to 9999")) {
                try FieldCheck.instant(seconds: seconds, nanos: nanos, "to")
            }
        }
    }

    @Test("a hold lasts from 1 ms to 7 days")
    func ttl() throws {
        #expect(try FieldCheck.ttl(seconds: 0, nanos: 1_000_000) == 1_000)
        #expect(try FieldCheck.ttl(seconds: 604_800, nanos: 0) == LedgerRules.maxTTLMicroseconds)
        for (seconds, nanos) in [(0, 0), (0, 999_999), (604_800, 1_000), (-1, 0)] as [(Int64, Int32)] {
            #expect(throws: InvalidField("ttl", "must be from 1 ms to 7 days")) {
                try FieldCheck.ttl(seconds: seconds, nanos: nanos)
            }
        }
        for (seconds, nanos) in [(1, -1), (-1, 1), (.max, 0), (.min, 0), (0, .min)] as [(Int64, Int32)] {
            #expect(throws: InvalidField("ttl", "is not a valid duration")) {
                try FieldCheck.ttl(seconds: seconds, nanos: nanos)
            }
        }
    }

    @Test("a range does not end before it begins")
    func range() throws {
        let (early, late) = (Instant(microseconds: 1), Instant(microseconds: 2))
        try FieldCheck.range(start: nil, end: early)
        try FieldCheck.range(start: late, end: nil)
        try FieldCheck.range(start: early, end: early)
        #expect(throws: InvalidField("end_time", "must not be earlier than start_time")) {
            try FieldCheck.range(start: late, end: early)
        }
    }

    private func quantities(_ counts: [String: Int64]) throws(InvalidField) -> [Quantity] {
        try FieldCheck.quantities(counts.map { Quantity(unit: $0.key, count: $0.value) })
    }

    private func labels(_ texts: [String: String]) throws(InvalidField) -> [Label] {
        try FieldCheck.labels(texts.map { Label(key: $0.key, value: $0.value) })
    }
}
