import Ledger
import Storage

/// Turns the nodes of a catalog file into a catalog, and gathers all that is wrong on the way.
struct CatalogReader {
    private(set) var faults: [CatalogFault] = []
    private(set) var hasMoreFaults = false

    /// The catalog that the file describes; of no use where faults were found.
    mutating func catalog(_ root: JSONNode) -> Catalog {
        var catalog = Catalog()
        for member in members(of: root, at: "") {
            switch member.name {
            case "features": catalog.features = features(member.node, at: "features")
            case "tenants": catalog.tenants = tenants(member.node)
            case "plans": plans(member.node, into: &catalog)
            case "packs": catalog.packs = packs(member.node)
            case "roles": catalog.roles.merge(roles(member.node)) { _, named in named }
            default: unknown(member, at: "", known: "features, tenants, plans, packs, roles")
            }
        }
        return catalog
    }

    /// Tenants with prices of their own.
    private mutating func tenants(_ node: JSONNode) -> [String: [String: PriceSchedule]] {
        var tenants: [String: [String: PriceSchedule]] = [:]
        for (tenant, path) in named(node, at: "tenants", "tenants", atMost: Limits.maxTenantsWithPrices) {
            if TenantID(tenant.name) == nil {
                add(tenant.line, path, "is no tenant's id; that is 1 to 63 of a-z, 0-9 and -, not beginning with -")
            }
            var features: [String: PriceSchedule]?
            for member in members(of: tenant.node, at: path) {
                switch member.name {
                case "features": features = self.features(member.node, at: path + ".features")
                default: unknown(member, at: path, known: "features")
                }
            }
            if features == nil, isObject(tenant.node) {
                add(tenant.line, path, "has no \"features\"; say which prices are its own")
            }
            tenants[tenant.name] = features
        }
        return tenants
    }

    // MARK: - Roles

    private mutating func roles(_ node: JSONNode) -> [String: PermissionSet] {
        var roles: [String: PermissionSet] = [:]
        for (member, path) in named(node, at: "roles", "roles", atMost: Limits.maxRoles) {
            checkName(member, maxBytes: Limits.maxRoleNameBytes, at: path)
            roles[member.name] = permissions(member.node, at: path)
        }
        return roles
    }

    private mutating func permissions(_ node: JSONNode, at path: String) -> PermissionSet {
        var permissions: PermissionSet = []
        for (name, line) in strings(node, of: "permissions", at: path) {
            if name == "*" {
                permissions = .all
            } else if let permission = Permission(rawValue: name) {
                permissions.insert(PermissionSet(permission))
            } else {
                let known = Permission.allCases.map(\.rawValue).joined(separator: ", ")
                add(line, path, "there is no permission \"\(name)\"; there are \(known), and * for all")
            }
        }
        return permissions
    }
}

// MARK: - What all parts need

extension CatalogReader {
    mutating func add(_ line: Int, _ path: String, _ reason: String) {
        if faults.count == Limits.maxCatalogFaults {
            hasMoreFaults = true
        } else {
            faults.append(CatalogFault(line: line, path: path, reason: reason))
        }
    }

    mutating func unknown(_ member: JSONNode.Member, at path: String, known: String) {
        add(member.line, path, "the name \"\(member.name)\" means nothing here; what does is \(known)")
    }

    func isObject(_ node: JSONNode) -> Bool {
        if case .object = node.value { true } else { false }
    }

    mutating func members(of node: JSONNode, at path: String) -> [JSONNode.Member] {
        if case .object(let members) = node.value { return members }
        add(node.line, path, "must be an object, not \(node.kindName)")
        return []
    }

    /// The members of an object whose names the operator gives, each with its path; none where there are too many.
    mutating func named(
        _ node: JSONNode, at path: String, _ what: String, atMost limit: Int
    ) -> [(member: JSONNode.Member, path: String)] {
        let members = members(of: node, at: path)
        if members.count > limit {
            add(node.line, path, "has \(members.count) \(what); at most \(limit) are allowed")
            return []
        }
        return members.map { ($0, "\(path).\($0.name)") }
    }

    /// The elements of a list, each with its path; none where there are too many.
    mutating func elements(
        of node: JSONNode, of what: String, at path: String, atMost limit: Int
    ) -> [(node: JSONNode, path: String)] {
        guard case .array(let nodes) = node.value else {
            add(node.line, path, "must be a list of \(what), not \(node.kindName)")
            return []
        }
        if nodes.count > limit {
            add(node.line, path, "has \(nodes.count) \(what); at most \(limit) are allowed")
            return []
        }
        return nodes.enumerated().map { ($1, "\(path)[\($0)]") }
    }

    /// The strings of a list.
    mutating func strings(_ node: JSONNode, of what: String, at path: String) -> [(text: String, line: Int)] {
        guard case .array(let nodes) = node.value else {
            add(node.line, path, "must be a list of \(what), not \(node.kindName)")
            return []
        }
        var strings: [(String, Int)] = []
        for node in nodes {
            if case .string(let text) = node.value {
                strings.append((text, node.line))
            } else {
                add(node.line, path, "must hold strings, not \(node.kindName)")
            }
        }
        return strings
    }

    mutating func integer(_ node: JSONNode, _ range: ClosedRange<Int64>, at path: String) -> Int64? {
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

    /// An amount of micros.
    mutating func micros(_ node: JSONNode, from least: Int64 = 0, at path: String) -> Int64? {
        integer(node, least...Limits.maxCatalogMicros, at: path)
    }

    mutating func bool(_ node: JSONNode, at path: String) -> Bool? {
        if case .bool(let value) = node.value { return value }
        add(node.line, path, "must be true or false, not \(node.kindName)")
        return nil
    }

    mutating func string(_ node: JSONNode, at path: String) -> String? {
        if case .string(let text) = node.value { return text }
        add(node.line, path, "must be a string, not \(node.kindName)")
        return nil
    }

    /// A string that is one of a few words.
    mutating func word<Value>(_ node: JSONNode, _ words: [(String, Value)], at path: String) -> Value? {
        guard let text = string(node, at: path) else { return nil }
        if let value = words.first(where: { $0.0 == text })?.1 { return value }
        add(node.line, path, "is \"\(text)\"; it must be one of \(words.map(\.0).joined(separator: ", "))")
        return nil
    }

    mutating func checkName(_ member: JSONNode.Member, maxBytes: Int, at path: String) {
        checkName(member.name, member.line, maxBytes: maxBytes, at: path)
    }

    mutating func checkName(_ name: String, _ line: Int, maxBytes: Int, at path: String) {
        if name.isEmpty {
            add(line, path, "the name is empty")
        } else if name.utf8.count > maxBytes {
            add(line, path, "the name has \(name.utf8.count) bytes; at most \(maxBytes) are allowed")
        } else if name.utf8.contains(where: TextRule.isControl) {
            add(line, path, "the name has a control character")
        }
    }

    /// Something that must be there and is not.
    mutating func missing(_ name: String, in node: JSONNode, line: Int? = nil, at path: String, _ advice: String) {
        if isObject(node) { add(line ?? node.line, path, "has no \"\(name)\"; \(advice)") }
    }
}
