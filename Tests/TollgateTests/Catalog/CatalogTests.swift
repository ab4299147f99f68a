import Foundation
import Ledger
import Testing

@testable import Tollgate

@Suite("A catalog is checked whole, and each fault names its line")
struct CatalogTests {
    private func faults(_ text: String) -> [String] {
        do {
            _ = try Catalog(parsing: Array(text.utf8))
            return []
        } catch {
            guard case .invalid(let faults, false) = error else { return ["\(error)"] }
            return faults.map(\.description)
        }
    }

    @Test("features, units and qualities become prices that are sorted and complete")
    func prices() throws {
        let catalog = try Catalog(
            parsing: Array(
                """
                { "features": {
                    "image": { "units": { "images": { "micros": 8000000 } }, "quality_percent": { "best": 200 } },
                    "chat": {
                        "units": { "out": { "micros": 5, "per": 1000 }, "in": { "micros": 0, "per": 3 } },
                        "quality_percent": { "cheap": 50, "medium": 90 }
                    }
                } }
                """.utf8))
        let image = FeaturePrice(
            feature: "image", units: [UnitPrice(unit: "images", amountMicros: 8_000_000, per: 1)],
            qualityPercent: [100, 100, 100, 200])
        let chat = FeaturePrice(
            feature: "chat",
            units: [
                UnitPrice(unit: "in", amountMicros: 0, per: 3), UnitPrice(unit: "out", amountMicros: 5, per: 1_000),
            ],
            qualityPercent: [90, 50, 90, 100])
        #expect(catalog.features == ["chat": PriceSchedule(chat), "image": PriceSchedule(image)])
        #expect(catalog.price(of: "image")?.price(at: .zero) == image)
        #expect(catalog.price(of: "Image") == nil)
        #expect(catalog.roles == Catalog.defaultRoles)
    }

    @Test("a role of the file replaces the one of its name and leaves the others")
    func roles() throws {
        let catalog = try Catalog(
            parsing: Array(
                #"{ "roles": { "member": ["credits.view", "credits.meter"], "auditor": [], "root": ["*"] } }"#.utf8))
        #expect(catalog.permissions(of: "member") == [.view, .meter])
        #expect(catalog.permissions(of: "auditor") == [])
        #expect(catalog.permissions(of: "root") == .all)
        #expect(catalog.permissions(of: "owner") == Catalog.defaultRoles["owner"])
        #expect(catalog.permissions(of: "nobody") == nil)
    }

    @Test(
        "each fault is told with its line, its place and what would be right",
        arguments: [
            ("[]", "line 1: must be an object, not a list"),
            (
                "{\n\"prices\": {}}",
                "line 2: the name \"prices\" means nothing here; what does is features, tenants, plans, packs, roles"
            ),
            ("{\"features\":\n3}", "line 2: features: must be an object, not a whole number"),
            (
                "{\"features\": {\n\"a\": {}}}",
                "line 2: features.a: has neither \"units\" nor \"fixed_micros\"; say what it costs"
            ),
            (
                "{\"features\": {\"a\": {\"units\":\n{}}}}",
                "line 2: features.a.units: is empty; a feature is priced by at least one unit"
            ),
            ("{\"features\": {\"a\":\nnull}}", "line 2: features.a: must be an object, not null"),
            (
                "{\"features\": {\"a\": {\"units\": {\"t\": {\"micros\": 1}},\n\"price\": 1}}}",
                "line 2: features.a: the name \"price\" means nothing here; what does is units, fixed_micros, "
                    + "minimum_micros, quality_percent, next"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\n\"t\": {\"per\": 1}}}}}",
                "line 2: features.a.units.t: has no \"micros\"; say how many micros it costs"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\"t\": {\"micros\":\n-1}}}}}",
                "line 2: features.a.units.t.micros: is -1; it must be from 0 to 10000000000000000"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\"t\": {\"micros\":\n0.5}}}}}",
                "line 2: features.a.units.t.micros: must be a whole number, not a number with a fraction, an exponent "
                    + "or too many digits"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\"t\": {\"micros\": 1, \"per\":\n0}}}}}",
                "line 2: features.a.units.t.per: is 0; it must be from 1 to 1000000000000"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\"t\": {\"micros\": 1,\n\"pro\": 1}}}}}",
                "line 2: features.a.units.t: the name \"pro\" means nothing here; what does is micros, per, tiers"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\"t\":\n\"1\"}}}}",
                "line 2: features.a.units.t: must be an object, not a string"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\"t\": {\"micros\": 1}}, \"quality_percent\": {\n\"good\": 1}}}}",
                "line 2: features.a.quality_percent: the name \"good\" means nothing here; what does is cheap, "
                    + "medium, best"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\"t\": {\"micros\": 1}}, \"quality_percent\": {\"best\":\n-5}}}}",
                "line 2: features.a.quality_percent.best: is -5; it must be from 0 to 100000"
            ),
            (
                "{\"features\": {\n\"\": {\"units\": {\"t\": {\"micros\": 1}}}}}",
                "line 2: features.: the name is empty"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\n\"t\\u0007\": {\"micros\": 1}}}}}",
                "line 2: features.a.units.t\u{7}: the name has a control character"
            ),
            (
                "{\"roles\": {\"owner\":\n\"*\"}}",
                "line 2: roles.owner: must be a list of permissions, not a string"
            ),
            ("{\"roles\": {\"owner\": [\n7]}}", "line 2: roles.owner: must hold strings, not a whole number"),
            (
                "{\"roles\": {\"owner\": [\n\"credits.see\"]}}",
                "line 2: roles.owner: there is no permission \"credits.see\"; there are credits.view, credits.meter, "
                    + "credits.refund, credits.purchase, credits.manage, credits.owner, tenants.admin, and * for all"
            ),
            ("{\n\"roles\": {}", "line 2: this is not JSON: the text ends where \",\" or \"}\" should be"),
        ])
    func eachFault(text: String, fault: String) {
        #expect(faults(text) == [fault])
    }

    @Test("a name that is too long is a fault")
    func longNames() {
        let name = { (count: Int) in String(repeating: "n", count: count) }
        let feature = { (name: String) in #"{"features": {"\#(name)": {"units": {"t": {"micros": 1}}}}}"# }
        #expect(faults(feature(name(128))) == [])
        #expect(faults(feature(name(129))).first?.hasSuffix("the name has 129 bytes; at most 128 are allowed") == true)
        let unit = { (name: String) in #"{"features": {"a": {"units": {"\#(name)": {"micros": 1}}}}}"# }
        #expect(faults(unit(name(64))) == [])
        #expect(faults(unit(name(65))).first?.hasSuffix("the name has 65 bytes; at most 64 are allowed") == true)
        #expect(faults(#"{"roles": {"\#(name(64))": []}}"#).count == 1)
    }

    @Test("too many of anything is a fault")
    func tooMany() {
        let list = { (count: Int, entry: String) in
            (0..<count).map { #""n\#($0)": \#(entry)"# }.joined(separator: ",")
        }
        let units = #"{"features": {"a": {"units": {\#(list(33, #"{"micros": 1}"#))}}}}"#
        #expect(faults(units) == ["line 1: features.a.units: has 33 units; at most 32 are allowed"])
        let roles = #"{"roles": {\#(list(65, "[]"))}}"#
        #expect(faults(roles) == ["line 1: roles: has 65 roles; at most 64 are allowed"])
        let features = #"{"features": {\#(list(10_001, "{}"))}}"#
        #expect(faults(features) == ["line 1: features: has 10001 features; at most 10000 are allowed"])
    }

    @Test("all faults are told, in the order of the file")
    func allFaults() {
        let text = """
            {
              "roles": { "owner": 1 },
              "features": {
                "a": { "units": { "t": { "micros": -1, "per": "x" } } },
                "b": { "unit": {} }
              }
            }
            """
        #expect(
            faults(text) == [
                "line 2: roles.owner: must be a list of permissions, not a whole number",
                "line 4: features.a.units.t.micros: is -1; it must be from 0 to 10000000000000000",
                "line 4: features.a.units.t.per: must be a whole number, not a string",
                "line 5: features.b: the name \"unit\" means nothing here; what does is units, fixed_micros, "
                    + "minimum_micros, quality_percent, next",
                "line 5: features.b: has neither \"units\" nor \"fixed_micros\"; say what it costs",
            ])
    }

    @Test("a file with very many faults tells the first hundred and that there are more")
    func manyFaults() throws {
        let members = (0..<101).map { "\n\"f\($0)\": 1" }.joined(separator: ",")
        let error = try #require(throws: CatalogError.self) {
            try Catalog(parsing: Array("{\"features\": {\(members)}}".utf8))
        }
        guard case .invalid(let faults, let hasMore) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(faults.count == Limits.maxCatalogFaults)
        #expect(hasMore)
        #expect(error.description.hasSuffix("catalog: there are more faults than these"))
    }

    @Test("the catalog that serves without a file is what default.json says")
    func defaultFile() throws {
        let path = repositoryRoot.appending(path: "Deploy/catalogs/default.json").path(percentEncoded: false)
        #expect(try Catalog(path: path) == Catalog.builtIn)
    }

    @Test("a file that cannot be read says so, and one that is too long is refused")
    func files() throws {
        #expect(throws: CatalogError.unreadable(path: "/nowhere/x", reason: "No such file or directory")) {
            try Catalog(path: "/nowhere/x")
        }
        try withTemporaryDirectory { directory in
            #expect(throws: CatalogError.self) { try Catalog(path: directory.path(percentEncoded: false)) }
            let file = directory.appending(path: "long.json")
            let text = "{}" + String(repeating: " ", count: Limits.maxCatalogBytes - 2)
            try Data(text.utf8).write(to: file)
            #expect(throws: Never.self) { try Catalog(path: file.path(percentEncoded: false)) }
            try Data((text + " ").utf8).write(to: file)
            let tooLong = CatalogFault(line: 1, path: "", reason: "has more than 4194304 bytes")
            #expect(throws: CatalogError.invalid(faults: [tooLong], hasMore: false)) {
                try Catalog(path: file.path(percentEncoded: false))
            }
        }
    }
}
