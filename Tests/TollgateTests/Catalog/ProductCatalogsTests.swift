import Foundation
import Ledger
import Testing
import TollgateSchema

@testable import Tollgate

@Suite("The catalogs that come with Tollgate are in order and say what their products sell")
struct ProductCatalogsTests {
    private static let folder = repositoryRoot.appending(path: "Deploy/catalogs")
    private static let credit: Int64 = 1_000_000

    private func catalog(_ name: String) throws -> Catalog {
        try Catalog(path: Self.folder.appending(path: name + ".json").path(percentEncoded: false))
    }

    private func cost(
        _ catalog: Catalog, _ feature: String, _ quantities: [String: Int64] = [:], _ quality: Ledger.Quality = .medium
    ) throws -> Int64 {
        let price = try #require(catalog.price(of: feature)?.first)
        return try price.cost(for: quantities.map { Quantity(unit: $0.key, count: $0.value) }, quality: quality)
    }

    @Test("every file is in order")
    func everyFile() throws {
        let files = try FileManager.default.contentsOfDirectory(at: Self.folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "json" }
        #expect(files.count == 6)
        for file in files {
            #expect(throws: Never.self, "\(file.lastPathComponent)") {
                try Catalog(path: file.path(percentEncoded: false))
            }
        }
    }

    @Test("what the page about catalogs shows is one")
    func page() throws {
        let text = try String(contentsOf: Self.folder.appending(path: "README.md"), encoding: .utf8)
        var blocks: [String] = [""]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("    ") { blocks[blocks.count - 1] += line + "\n" } else { blocks.append("") }
        }
        let examples = blocks.filter { $0.hasPrefix("    \"") }
        #expect(examples.count == 2)
        for example in examples {
            let isWhole = example.contains("\"tenants\"")
            let json = isWhole ? "{\(example)}" : "{\"features\": {\(example)}}"
            #expect(throws: Never.self) { try Catalog(parsing: Array(json.utf8)) }
        }
    }

    @Test("100 credits a month, bundles for who pays, and a price past zero")
    func testkase() throws {
        let catalog = try catalog("testkase")
        #expect(Set(catalog.plans.keys) == ["free", "premium", "enterprise"])
        for terms in catalog.plans.values {
            #expect(terms.allowance?.amountMicros == 100 * Self.credit)
            #expect(terms.cycle == .calendarMonth)
            #expect(terms.rollover == nil)
            #expect(terms.packs.contains(.active) == (terms.name != "free"))
            #expect((terms.overage != nil) == (terms.name != "free"))
            let overage = catalog.overagePrices[terms.name].map { Money(perCredit: $0).minorUnits }
            #expect(overage == (terms.name == "free" ? nil : 40))
        }
        #expect(catalog.packs.map(\.name) == ["Starter", "Professional", "Enterprise", "Ultimate"])
        #expect(catalog.packs.map(\.amountMicros) == [1_000, 5_500, 28_000, 58_000].map { $0 * Self.credit })
        #expect(catalog.packs.map(\.price.minorUnits) == [1_000, 5_000, 25_000, 50_000])
        #expect(catalog.packs.filter(\.isPopular).map(\.id) == ["professional"])
        let costs = try [Ledger.Quality.cheap, .medium, .best].map { try cost(catalog, "ai_reports", [:], $0) }
        #expect(costs == costs.sorted() && Set(costs).count == 3)
    }

    @Test("owners and admins buy, members look")
    func testkaseDocs() throws {
        let catalog = try catalog("testkase-docs")
        #expect(Set(catalog.features.keys) == ["generation", "chat", "reports"])
        for (role, buys) in [("owner", true), ("admin", true), ("member", false)] {
            #expect(catalog.permissions(of: role)?.allows(.purchase) == buys)
            #expect(catalog.permissions(of: role)?.allows(.view) == true)
        }
    }

    @Test("complimentary credits once or each month, 10 credits a scenario, screenshots by size")
    func lambdatest() throws {
        let catalog = try catalog("lambdatest")
        #expect(
            catalog.plans["free"]?.signUp
                == [.init(kind: .complimentary, amountMicros: 1_000 * Self.credit, expiresAfterDays: nil)])
        #expect(catalog.plans["free"]?.allowance == nil)
        #expect(catalog.plans["free"]?.cycle == nil)
        #expect(catalog.plans["paid"]?.allowance?.kind == .complimentary)
        #expect(catalog.plans["paid"]?.cycle == .calendarMonth)
        for scenarios in Int64(0)...5 {
            #expect(try cost(catalog, "test_case_generator", ["scenarios": scenarios]) == scenarios * 10 * Self.credit)
        }
        for (kilopixels, credits) in [(1, 1), (1_000, 1), (2_000, 2), (4_000, 4), (4_001, 5), (7_000, 7), (90_000, 8)] {
            let cost = try cost(catalog, "smartui_visual_ai", ["kilopixels": Int64(kilopixels)])
            #expect(cost == Int64(credits) * Self.credit)
        }
        #expect(catalog.permissions(of: "admin")?.allows(.view) == true)
        #expect(catalog.permissions(of: "member")?.allows(.view) == false)
    }

    @Test("1,500 credits a month, a matrix of actions, 2,500 credits for $25")
    func imageTool() throws {
        let catalog = try catalog("image-tool")
        #expect(catalog.plans["account"]?.allowance?.amountMicros == 1_500 * Self.credit)
        #expect(catalog.plans["account"]?.cycle == .calendarMonth)
        for (action, credits) in [("text_to_image", 8), ("erase", 7), ("upscale", 0)] as [(String, Int64)] {
            #expect(try cost(catalog, action) == credits * Self.credit)
        }
        #expect(catalog.packs.map(\.amountMicros) == [2_500 * Self.credit])
        #expect(catalog.packs.map(\.price) == [Price(currency: "USD", minorUnits: 2_500)])
    }

    @Test("four channels, a trial, packs for active and grandfathered subscriptions")
    func torqueflow() throws {
        let catalog = try catalog("torqueflow")
        #expect(Set(catalog.features.keys) == ["voice", "whatsapp", "sms", "diagnostics"])
        for terms in catalog.plans.values {
            #expect(terms.trial != nil)
            #expect(terms.packs == [.active, .grandfathered])
        }
        let starter = try #require(TollgateSchema.Pack.shelf(catalog.packs).first)
        #expect(starter.amountMicros == 1_000 * Self.credit)
        #expect(starter.price == Money(Price(currency: "GBP", minorUnits: 1_000)))
        #expect(starter.pricePerCreditMillionths == 1_000_000)
        #expect(catalog.permissions(of: "billing.credits.view") == [.view])
        #expect(catalog.permissions(of: "billing.credits.purchase") == [.view, .purchase])
    }
}
