import Ledger

/// Turns the nodes of a catalog file into a catalog, and gathers all that is wrong on the way.
struct CatalogReader {
    private(set) var faults: [CatalogFault] = []
    private(set) var hasMoreFaults = false

    /// The catalog that the file describes; of no use where faults were found.
    mutating func catalog(_ root: JSONNode) -> Catalog {
        var features: [String: FeaturePrice] = [:]
        var roles = Catalog.defaultRoles
        for member in members(of: root, at: "") {
            switch member.name {
            case "features": features = self.features(member.node)
            case "roles": roles.merge(self.roles(member.node)) { _, named in named }
            default: unknown(member, at: "", known: "features, roles")
            }
        }
        return Catalog(features: features, roles: roles)
    }

    // MARK: Features

    private mutating func features(_ node: JSONNode) -> [String: FeaturePrice] {
        let members = members(of: node, at: "features")
        if members.count > Limits.maxFeatures {
            add(node.line, "features", "has \(members.count) features; at most \(Limits.maxFeatures) are allowed")
            return [:]
        }
        var features: [String: FeaturePrice] = [:]
        for member in members {
            let path = "features.\(member.name)"
            checkName(member, maxBytes: Limits.maxFeatureBytes, at: path)
            features[member.name] = feature(member, at: path)
        }
        return features
    }

    private mutating func feature(_ feature: JSONNode.Member, at path: String) -> FeaturePrice {
        var units: [UnitPrice]?
        var qualityPercent: [Int64] = [100, 100, 100, 100]
        let members = members(of: feature.node, at: path)
        for member in members {
            switch member.name {
            case "units": units = self.units(member.node, at: path + ".units")
            case "quality_percent": qualityPercent = self.qualityPercent(member.node, at: path + ".quality_percent")
            default: unknown(member, at: path, known: "units, quality_percent")
            }
        }
        if units == nil, isObject(feature.node) {
            add(feature.line, path, "has no \"units\"; say by which units it is priced")
        }
        return FeaturePrice(feature: feature.name, units: units ?? [], qualityPercent: qualityPercent)
    }

    private mutating func units(_ node: JSONNode, at path: String) -> [UnitPrice] {
        let members = members(of: node, at: path)
        if members.isEmpty, isObject(node) {
            add(node.line, path, "is empty; a feature is priced by at least one unit")
        }
        if members.count > Limits.maxQuantities {
            add(node.line, path, "has \(members.count) units; at most \(Limits.maxQuantities) are allowed")
        }
        var units: [UnitPrice] = []
        for member in members {
            let path = "\(path).\(member.name)"
            checkName(member, maxBytes: Limits.maxUnitBytes, at: path)
            units.append(unit(member, at: path))
        }
        return units.sorted { $0.unit < $1.unit }
    }

    private mutating func unit(_ unit: JSONNode.Member, at path: String) -> UnitPrice {
        var micros: Int64?
        var per: Int64 = 1
        var hasMicros = false
        for member in members(of: unit.node, at: path) {
            switch member.name {
            case "micros":
                hasMicros = true
                micros = integer(member.node, 0...Limits.maxUnitPriceMicros, at: path + ".micros")
            case "per":
                per = integer(member.node, 1...Limits.maxUnitPricePer, at: path + ".per") ?? 1
            default:
                unknown(member, at: path, known: "micros, per")
            }
        }
        if !hasMicros, isObject(unit.node) {
            add(unit.line, path, "has no \"micros\"; say how many micros it costs")
        }
        return UnitPrice(unit: unit.name, amountMicros: micros ?? 0, per: per)
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

    // MARK: Roles

    private mutating func roles(_ node: JSONNode) -> [String: PermissionSet] {
        let members = members(of: node, at: "roles")
        if members.count > Limits.maxRoles {
            add(node.line, "roles", "has \(members.count) roles; at most \(Limits.maxRoles) are allowed")
        }
        var roles: [String: PermissionSet] = [:]
        for member in members {
            let path = "roles.\(member.name)"
            checkName(member, maxBytes: Limits.maxRoleNameBytes, at: path)
            roles[member.name] = permissions(member.node, at: path)
        }
        return roles
    }

    private mutating func permissions(_ node: JSONNode, at path: String) -> PermissionSet {
        guard case .array(let nodes) = node.value else {
            add(node.line, path, "must be a list of permissions, not \(node.kindName)")
            return []
        }
        var permissions: PermissionSet = []
        for node in nodes {
            guard case .string(let name) = node.value else {
                add(node.line, path, "must hold strings, not \(node.kindName)")
                continue
            }
            if name == "*" {
                permissions = .all
            } else if let permission = Permission(rawValue: name) {
                permissions.insert(PermissionSet(permission))
            } else {
                let known = Permission.allCases.map(\.rawValue).joined(separator: ", ")
                add(node.line, path, "there is no permission \"\(name)\"; there are \(known), and * for all")
            }
        }
        return permissions
    }
}

// MARK: - What all parts need

extension CatalogReader {
    private mutating func add(_ line: Int, _ path: String, _ reason: String) {
        if faults.count == Limits.maxCatalogFaults {
            hasMoreFaults = true
        } else {
            faults.append(CatalogFault(line: line, path: path, reason: reason))
        }
    }

    private mutating func unknown(_ member: JSONNode.Member, at path: String, known: String) {
        add(member.line, path, "the name \"\(member.name)\" means nothing here; what does is \(known)")
    }

    private func isObject(_ node: JSONNode) -> Bool {
        if case .object = node.value { true } else { false }
    }

    private mutating func members(of node: JSONNode, at path: String) -> [JSONNode.Member] {
        if case .object(let members) = node.value { return members }
        add(node.line, path, "must be an object, not \(node.kindName)")
        return []
    }

    private mutating func integer(_ node: JSONNode, _ range: ClosedRange<Int64>, at path: String) -> Int64? {
        guard case .integer(let value) = node.value else {
            add(node.line, path, "must be a whole number, not \(node.kindName)")
            return nil
        }
        guard range.contains(value) else {
            add(node.line, path, "is \(value); it must be from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return value
    }

    private mutating func checkName(_ member: JSONNode.Member, maxBytes: Int, at path: String) {
        if member.name.isEmpty {
            add(member.line, path, "the name is empty")
        } else if member.name.utf8.count > maxBytes {
            add(member.line, path, "the name has \(member.name.utf8.count) bytes; at most \(maxBytes) are allowed")
        } else if member.name.utf8.contains(where: TextRule.isControl) {
            add(member.line, path, "the name has a control character")
        }
    }
}
