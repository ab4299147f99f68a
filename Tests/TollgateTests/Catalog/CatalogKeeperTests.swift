import Foundation
import Ledger
import Storage
import Testing

@testable import Tollgate

@Suite("The catalog in force is the one that was applied last, and earlier ones are still known")
struct CatalogKeeperTests {
    private static let day: Int64 = 24 * 3600 * 1_000_000

    private func json(allowance: Int64, plan: String = "pro") -> [UInt8] {
        Array(#"{"plans": {"\#(plan)": {"allowance": {"micros": \#(allowance)}}}}"#.utf8)
    }

    private func withDirectory(_ body: (_ open: () throws -> Directory) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending(path: "directory.sqlite").path(percentEncoded: false)
            try body { try Directory(path: path) }
        }
    }

    @Test("nothing applied is the built-in one, and a file wins over what was applied")
    func start() throws {
        try withDirectory { open in
            let directory = try open()
            let first = try CatalogKeeper(directory: directory, at: .zero)
            #expect(first.current.version == 0)
            #expect(first.current.catalog == .builtIn)
            #expect(first.current.json == [])
            #expect(first.current.appliedAt == nil)
            #expect(try first.apply(json(allowance: 1), at: Instant(microseconds: 5)) == (1, true))
            #expect(try first.apply(json(allowance: 1), at: Instant(microseconds: 6)) == (1, false))
            directory.close()

            let again = try open()
            let second = try CatalogKeeper(directory: again, at: Instant(microseconds: 7))
            #expect(second.current.version == 1)
            #expect(second.current.json == json(allowance: 1))
            #expect(second.current.appliedAt == Instant(microseconds: 5))
            #expect(second.current.catalog.plans["pro"]?.allowance?.amountMicros == 1)
            again.close()

            let last = try open()
            let third = try CatalogKeeper(
                directory: last, applying: json(allowance: 2), at: Instant(microseconds: 9))
            #expect(third.current.version == 2)
            #expect(third.current.appliedAt == Instant(microseconds: 9))
            last.close()
        }
    }

    @Test("one with a fault changes nothing")
    func faulty() throws {
        try withDirectory { open in
            let directory = try open()
            let keeper = try CatalogKeeper(directory: directory, at: .zero)
            _ = try keeper.apply(json(allowance: 1), at: .zero)
            let (generation, epoch) = (keeper.generation, directory.generation)
            #expect(throws: CatalogChangeError.self) { try keeper.apply(json(allowance: -1), at: .zero) }
            #expect(throws: CatalogChangeError.self) { try keeper.apply([], at: .zero) }
            #expect(keeper.current.version == 1)
            #expect((keeper.generation, directory.generation) == (generation, epoch))
            #expect(throws: CatalogChangeError.self) {
                try CatalogKeeper(directory: directory, applying: Array("{".utf8), at: .zero)
            }
            #expect(directory.catalogs().count == 1)
            directory.close()
        }
    }

    @Test("who is let in after the generation has grown is let in under the new one")
    func generation() throws {
        try withDirectory { open in
            let directory = try open()
            let keeper = try CatalogKeeper(directory: directory, at: .zero)
            for allowance in Int64(1)...3 {
                let before = directory.generation
                _ = try keeper.apply(json(allowance: allowance), at: .zero)
                #expect(directory.generation > before)
                #expect(keeper.current.catalog.plans["pro"]?.allowance?.amountMicros == allowance)
            }
            #expect(keeper.generation == 3)
            directory.close()
        }
    }

    @Test("a plan promises what the catalog that held at the moment says, also after a restart")
    func history() throws {
        try withDirectory { open in
            var directory = try open()
            var keeper = try CatalogKeeper(directory: directory, at: .zero)
            for (index, catalog) in [json(allowance: 1), json(allowance: 2), json(allowance: 3, plan: "max")]
                .enumerated()
            {
                _ = try keeper.apply(catalog, at: Instant(microseconds: Int64(index + 1) * Self.day))
            }
            for _ in 0..<2 {
                let allowance = { (plan: String, microseconds: Int64) in
                    keeper.terms(of: plan, at: Instant(microseconds: microseconds))?.allowance?.amountMicros
                }
                #expect(allowance("pro", Self.day - 1) == nil)
                #expect(allowance("pro", Self.day) == 1)
                #expect(allowance("pro", 2 * Self.day - 1) == 1)
                #expect(allowance("pro", 2 * Self.day) == 2)
                #expect(allowance("pro", 3 * Self.day) == nil)
                #expect(allowance("max", 3 * Self.day - 1) == nil)
                #expect(allowance("max", 99 * Self.day) == 3)
                directory.close()
                directory = try open()
                keeper = try CatalogKeeper(directory: directory, at: .zero)
            }
            directory.close()
        }
    }

    @Test("of two applied at one moment the later holds")
    func sameMoment() throws {
        try withDirectory { open in
            let directory = try open()
            let keeper = try CatalogKeeper(directory: directory, at: .zero)
            _ = try keeper.apply(json(allowance: 1), at: .zero)
            _ = try keeper.apply(json(allowance: 2), at: .zero)
            #expect(keeper.terms(of: "pro", at: .zero)?.allowance?.amountMicros == 2)
            directory.close()
        }
    }

    @Test("beyond a thousand the oldest are let go of, and the oldest that is kept stands for them")
    func bound() throws {
        try withDirectory { open in
            var directory = try open()
            var keeper = try CatalogKeeper(directory: directory, at: .zero)
            for number in Int64(1)...1_003 {
                _ = try keeper.apply(json(allowance: number), at: Instant(microseconds: number * Self.day))
            }
            for _ in 0..<2 {
                #expect(directory.catalogs().count == 1_000)
                #expect(keeper.current.version == 1_003)
                #expect(keeper.terms(of: "pro", at: Instant(microseconds: Self.day))?.allowance?.amountMicros == 4)
                #expect(
                    keeper.terms(of: "pro", at: Instant(microseconds: 500 * Self.day))?.allowance?.amountMicros == 500)
                directory.close()
                directory = try open()
                keeper = try CatalogKeeper(directory: directory, at: .zero)
            }
            directory.close()
        }
    }

    @Test(
        "a time zone's offset changes at the very second",
        arguments: [
            ("UTC", 1_774_746_000, 0, 0), ("Europe/Berlin", 1_774_746_000, 3_600, 7_200),
            ("Europe/Berlin", 1_792_890_000, 7_200, 3_600), ("America/New_York", 1_772_953_200, -18_000, -14_400),
            ("Asia/Kolkata", 1_774_746_000, 19_800, 19_800),
        ] as [(String, Int64, Int64, Int64)])
    func zones(zone: String, second: Int64, before: Int64, after: Int64) throws {
        try withDirectory { open in
            let directory = try open()
            let rules = CatalogRules(try CatalogKeeper(directory: directory, at: .zero))
            for _ in 0..<2 {
                #expect(rules.offsetSeconds(of: zone, at: Instant(microseconds: second * 1_000_000 - 1)) == before)
                #expect(rules.offsetSeconds(of: zone, at: Instant(microseconds: second * 1_000_000)) == after)
            }
            #expect(rules.offsetSeconds(of: "UTC", at: Instant(microseconds: -1)) == 0)
            directory.close()
        }
    }
}
