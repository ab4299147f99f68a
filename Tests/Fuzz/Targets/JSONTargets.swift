import Foundation
import Ledger
import Tollgate

extension FuzzTarget {
    /// The JSON of catalogs.
    static let json = FuzzTarget(name: "json", seeds: { JSONSeeds.texts.map { .text($0) } }) { bytes in
        let input = Array(bytes)
        let lineCount = input.count { $0 == UInt8(ascii: "\n") } + 1
        let node: JSONNode
        do throws(JSONSyntaxError) {
            node = try JSONParser.parse(input)
        } catch {
            try hold((1...lineCount).contains(error.line), "the fault is on line \(error.line) of \(lineCount)")
            return
        }
        try checkLines(node, 1...lineCount)
        var text = ""
        write(node, to: &text)
        guard let again = try? JSONParser.parse(Array(text.utf8)) else { throw broken("\(text) cannot be read") }
        var rewritten = ""
        write(again, to: &rewritten)
        try hold(rewritten == text, "\(text) came back as \(rewritten)")
        // The other reader refuses numbers that its own types cannot hold.
        guard !hasOddNumber(node) else { return }
        let isJSON = (try? JSONSerialization.jsonObject(with: Data(input), options: .fragmentsAllowed)) != nil
        try hold(isJSON, "Foundation does not take \(text) for JSON")
    }

    /// A catalog as an operator writes it: checked whole, and what is in force can be priced and kept in a book.
    static let catalog = FuzzTarget(name: "catalog", seeds: { JSONSeeds.catalogs }) { bytes in
        let input = Array(bytes)
        let lineCount = input.count { $0 == UInt8(ascii: "\n") } + 1
        let catalog: Catalog
        do throws(CatalogError) {
            catalog = try Catalog(parsing: input)
        } catch {
            guard case .invalid(let faults, _) = error, !faults.isEmpty else { throw broken("no fault is named") }
            try hold(faults.count <= Limits.maxCatalogFaults, "\(faults.count) faults")
            for fault in faults { try hold((1...lineCount).contains(fault.line), "a fault on line \(fault.line)") }
            return
        }
        try hold((try? Catalog(parsing: input)) == catalog, "the same text is another catalog")
        let schedules = Array(catalog.features.values) + catalog.tenants.values.flatMap(\.values)
        for price in schedules.flatMap(\.all) { try checkPrice(price) }
        for terms in catalog.plans.values {
            let subscription = Subscription(terms: terms, state: .active)
            let change = GovernanceChange.subscription(subscription, zone: "UTC", hasSignedUp: true, hasTried: false)
            try checkKept(.subscription, .change(change))
        }
    }

    /// A book gives back what is written into it.
    private static func checkKept(_ kind: EntryKind, _ detail: Entry.Detail) throws {
        let entry = Entry(
            sequence: 1, at: .zero, kind: kind, after: BalanceAfter(available: 0, held: 0), detail: detail)
        var bytes: [UInt8] = []
        EntryCodec.encode(entry, into: &bytes)
        let again = bytes.withUnsafeBytes { try? EntryCodec.decode($0) }
        try hold(again == entry, "a book does not give back \(detail)")
    }

    /// No quantity is a sum that traps or a cost below zero, and the ledger's bytes of the price are read again.
    private static func checkPrice(_ price: FeaturePrice) throws {
        for count in [0, 1, 2, 999, 1_000_000, Int64.max / 2, .max] {
            let quantities = price.units.map { Quantity(unit: $0.unit, count: count) }
            for quality in Quality.allCases {
                for isPartial in [false, true] {
                    guard let cost = try? price.cost(for: quantities, quality: quality, isPartial: isPartial) else {
                        continue
                    }
                    try hold(cost >= 0, "\(price) costs \(cost)")
                    let lines = try price.lines(for: quantities, quality: quality, isPartial: isPartial)
                    try hold(lines.reduce(0) { $0 + $1.amountMicros } == cost, "the lines of \(price) are not its sum")
                }
            }
        }
        try checkKept(.price, .price(version: 1, price))
    }

    // MARK: - JSON nodes

    private static func checkLines(_ node: JSONNode, _ lines: ClosedRange<Int>) throws {
        try hold(lines.contains(node.line), "a value on line \(node.line)")
        switch node.value {
        case .array(let nodes): for inner in nodes { try checkLines(inner, node.line...lines.upperBound) }
        case .object(let members):
            try hold(Set(members.map(\.name)).count == members.count, "a name stands twice")
            for member in members { try checkLines(member.node, member.line...lines.upperBound) }
        case .null, .bool, .integer, .number, .string: break
        }
    }

    private static func hasOddNumber(_ node: JSONNode) -> Bool {
        switch node.value {
        case .number: true
        case .array(let nodes): nodes.contains(where: hasOddNumber)
        case .object(let members): members.contains { hasOddNumber($0.node) }
        case .null, .bool, .integer, .string: false
        }
    }

    /// As a text, every character beyond letters and digits escaped.
    private static func write(_ node: JSONNode, to text: inout String) {
        switch node.value {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let number): text += String(number)
        case .number(let number): text += number
        case .string(let string): quote(string, to: &text)
        case .array(let nodes):
            text += "["
            for (index, inner) in nodes.enumerated() {
                if index > 0 { text += "," }
                write(inner, to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += "," }
                quote(member.name, to: &text)
                text += ":"
                write(member.node, to: &text)
            }
            text += "}"
        }
    }

    private static func quote(_ string: String, to text: inout String) {
        text += "\""
        for unit in string.utf16 {
            let digits = String(unit, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
        }
        text += "\""
    }
}

enum JSONSeeds {
    static let texts = [
        "", "null", "true", "-0", "0", "01", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
        "1.5",
        "1e5", "-", "1.", "1e", "\"\"", "\"a\\u0041\\n\\ud83d\\ude00\"", "\"\\ud83d\"", "\"\\udc00\"",
        "\"\\ud83d\\u0041\"",
        "\"\u{7F}é😀\"", "\"\n\"", "[]", "[1,]", "[1 2]", "{}", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":[1,{\"c\":null}]}}",
        "{\"é\":1,\"e\u{301}\":2}", "\n\n[\n1,\r\n2\t]\n", "nul", "[1]x", "{1:2}", "{\"a\" 1}", "\u{FEFF}1",
        String(repeating: "[", count: 40), "\"\\u00\"", "\"\\x\"",
    ]

    /// The catalogs that come with Tollgate, a small one of all parts, and some that are wrong.
    static var catalogs: [[UInt8]] {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
            .joined(separator: "/")
        let names = ["default", "image-tool", "lambdatest", "testkase-docs", "testkase", "torqueflow"]
        let shipped =
            names.map { folder + "/Deploy/catalogs/\($0).json" } + [
                folder + "/Tests/Clients/catalogs/everything.json"
            ]
        return shipped.compactMap { FileManager.default.contents(atPath: $0).map { Array($0) } }
            + ["{}", "{\"features\":{\"a\":{\"units\":{\"b\":{\"credits\":1}}}}}", "{\"plans\":{}}", "[]"].map {
                .text($0)
            }
    }
}
