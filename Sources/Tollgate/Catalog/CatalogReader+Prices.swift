import Ledger

extension CatalogReader {
    mutating func features(_ node: JSONNode, at path: String) -> [String: PriceSchedule] {
        var features: [String: PriceSchedule] = [:]
        for (member, path) in named(node, at: path, "features", atMost: Limits.maxFeatures) {
            checkName(member, maxBytes: Limits.maxFeatureBytes, at: path)
            features[member.name] = schedule(member, at: path)
        }
        return features
    }

    /// What a feature costs now, and from when on it costs something else.
    private mutating func schedule(_ feature: JSONNode.Member, at path: String) -> PriceSchedule {
        let members = members(of: feature.node, at: path)
        var next: [PriceSchedule.Dated] = []
        for member in members where member.name == "next" {
            let nodes = elements(of: member.node, of: "prices", at: path + ".next", atMost: Limits.maxNextPrices)
            for (node, path) in nodes {
                guard let price = dated(node, feature.name, at: path) else { continue }
                if next.contains(where: { $0.from == price.from }) {
                    add(node.line, path, "is from the same moment as another one")
                } else {
                    next.append(price)
                }
            }
        }
        let first = price(
            members.filter { $0.name != "next" }, of: feature.node, feature.name, line: feature.line, at: path,
            known: Self.priceNames + ", next")
        return PriceSchedule(first, next: next.sorted { $0.from < $1.from })
    }

    /// A price that holds from a moment on; nil where the moment is not told.
    private mutating func dated(_ node: JSONNode, _ feature: String, at path: String) -> PriceSchedule.Dated? {
        let members = members(of: node, at: path)
        let price = price(
            members.filter { $0.name != "from" }, of: node, feature, line: node.line, at: path,
            known: "from, " + Self.priceNames)
        guard let from = members.first(where: { $0.name == "from" }) else {
            missing("from", in: node, at: path, "say from which moment on it holds")
            return nil
        }
        guard let text = string(from.node, at: path + ".from") else { return nil }
        guard let microseconds = TimeText.microseconds(text, requiresZone: true) else {
            add(from.line, path + ".from", "\"\(text)\" is no moment such as 2026-03-01T00:00:00Z")
            return nil
        }
        return PriceSchedule.Dated(from: Instant(microseconds: microseconds), price: price)
    }

    private static let priceNames = "units, fixed_micros, minimum_micros, quality_percent"

    private mutating func price(
        _ members: [JSONNode.Member], of node: JSONNode, _ feature: String, line: Int, at path: String, known: String
    ) -> FeaturePrice {
        var units: [UnitPrice]?
        var qualityPercent: [Int64] = [100, 100, 100, 100]
        var fixedMicros: Int64?
        var minimumMicros: Int64?
        for member in members {
            let path = "\(path).\(member.name)"
            switch member.name {
            case "units": units = self.units(member.node, at: path)
            case "fixed_micros": fixedMicros = micros(member.node, at: path) ?? 0
            case "minimum_micros": minimumMicros = micros(member.node, at: path)
            case "quality_percent": qualityPercent = self.qualityPercent(member.node, at: path)
            default: unknown(member, at: String(path.dropLast(member.name.count + 1)), known: known)
            }
        }
        if units == nil, fixedMicros == nil, isObject(node) {
            add(line, path, "has neither \"units\" nor \"fixed_micros\"; say what it costs")
        }
        return FeaturePrice(
            feature: feature, units: units ?? [], qualityPercent: qualityPercent, fixedMicros: fixedMicros,
            minimumMicros: minimumMicros ?? 0)
    }

    private mutating func qualityPercent(_ node: JSONNode, at path: String) -> [Int64] {
        var percent: [Int64] = [100, 100, 100, 100]
        for member in members(of: node, at: path) {
            let quality: Quality
            switch member.name {
            case "cheap": quality = .cheap
            case "medium": quality = .medium
            case "best": quality = .best
            default:
                unknown(member, at: path, known: "cheap, medium, best")
                continue
            }
            let value = integer(member.node, 0...Limits.maxQualityPercent, at: "\(path).\(member.name)")
            percent[Int(quality.rawValue)] = value ?? 100
        }
        percent[Int(Quality.unspecified.rawValue)] = percent[Int(Quality.medium.rawValue)]
        return percent
    }

    // MARK: - Units and their sizes

    private mutating func units(_ node: JSONNode, at path: String) -> [UnitPrice] {
        let members = named(node, at: path, "units", atMost: Limits.maxQuantities)
        if case .object(let all) = node.value, all.isEmpty {
            add(node.line, path, "is empty; a feature is priced by at least one unit")
        }
        var units: [UnitPrice] = []
        for (member, path) in members {
            checkName(member, maxBytes: Limits.maxUnitBytes, at: path)
            units.append(unit(member, at: path))
        }
        return units.sorted { $0.unit < $1.unit }
    }

    private mutating func unit(_ unit: JSONNode.Member, at path: String) -> UnitPrice {
        var amountMicros: Int64?
        var per: Int64?
        var tiers: [PriceTier]?
        var plain: JSONNode.Member?
        for member in members(of: unit.node, at: path) {
            let memberPath = "\(path).\(member.name)"
            switch member.name {
            case "micros":
                plain = member
                amountMicros = micros(member.node, at: memberPath)
            case "per":
                plain = plain ?? member
                per = integer(member.node, 1...Limits.maxUnitPricePer, at: memberPath)
            case "tiers": tiers = self.tiers(member.node, at: memberPath)
            default: unknown(member, at: path, known: "micros, per, tiers")
            }
        }
        if let tiers {
            if let plain { add(plain.line, "\(path).\(plain.name)", "is of no use beside \"tiers\"; leave one out") }
            return UnitPrice(unit: unit.name, tiers: tiers)
        }
        if plain?.name != "micros" {
            missing("micros", in: unit.node, line: unit.line, at: path, "say how many micros it costs")
        }
        return UnitPrice(unit: unit.name, amountMicros: amountMicros ?? 0, per: per ?? 1)
    }

    private mutating func tiers(_ node: JSONNode, at path: String) -> [PriceTier] {
        var tiers: [PriceTier] = []
        for (node, path) in elements(of: node, of: "tiers", at: path, atMost: Limits.maxTiers) {
            guard let tier = tier(node, at: path) else { continue }
            if let last = tiers.last, tier.from <= last.from {
                add(node.line, path, "is from \(tier.from), which is not more than the tier before it")
            } else if tiers.contains(where: { $0.name == tier.name }) {
                add(node.line, path, "the tier \"\(tier.name)\" stands above already")
            }
            tiers.append(tier)
        }
        if case .array([]) = node.value { add(node.line, path, "is empty; leave it out or say what each size costs") }
        return tiers
    }

    private mutating func tier(_ node: JSONNode, at path: String) -> PriceTier? {
        var tier = PriceTier(name: "", from: 0, amountMicros: 0)
        var found: Set<String> = []
        for member in members(of: node, at: path) {
            let memberPath = "\(path).\(member.name)"
            found.insert(member.name)
            switch member.name {
            case "name":
                tier.name = string(member.node, at: memberPath) ?? "?"
                checkName(tier.name, member.line, maxBytes: Limits.maxUnitBytes, at: memberPath)
            case "from": tier.from = integer(member.node, 0...Int64.max, at: memberPath) ?? 0
            case "micros": tier.amountMicros = micros(member.node, at: memberPath) ?? 0
            case "per": tier.per = integer(member.node, 1...Limits.maxUnitPricePer, at: memberPath) ?? 1
            case "fixed_micros": tier.fixedMicros = micros(member.node, at: memberPath) ?? 0
            case "minimum_micros": tier.minimumMicros = micros(member.node, at: memberPath) ?? 0
            case "maximum_micros": tier.maximumMicros = micros(member.node, from: 1, at: memberPath) ?? 0
            default:
                unknown(
                    member, at: path,
                    known: "name, from, micros, per, fixed_micros, minimum_micros, maximum_micros")
            }
        }
        guard isObject(node) else { return nil }
        if !found.contains("name") { missing("name", in: node, at: path, "say how the size is called") }
        if !found.contains("micros"), !found.contains("fixed_micros") {
            add(node.line, path, "has neither \"micros\" nor \"fixed_micros\"; say what it costs")
        }
        if tier.maximumMicros > 0, tier.minimumMicros > tier.maximumMicros {
            add(node.line, path, "its minimum_micros is more than its maximum_micros")
        }
        return tier
    }
}
