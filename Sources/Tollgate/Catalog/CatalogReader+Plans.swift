import Ledger

extension CatalogReader {
    private static let states: [(String, SubscriptionState)] = [
        ("trial", .trial), ("active", .active), ("grandfathered", .grandfathered), ("past_due", .pastDue),
        ("canceled", .canceled),
    ]
    private static let kinds: [(String, GrantKind)] = [
        ("subscription", .subscription), ("complimentary", .complimentary), ("gifted", .gifted),
        ("purchased", .purchased),
    ]

    // MARK: - Plans

    mutating func plans(_ node: JSONNode, into catalog: inout Catalog) {
        for (member, path) in named(node, at: "plans", "plans", atMost: Limits.maxPlans) {
            checkName(member, maxBytes: Limits.maxPlanBytes, at: path)
            let (terms, overagePrice) = plan(member, at: path)
            catalog.plans[member.name] = terms
            catalog.overagePrices[member.name] = overagePrice
        }
    }

    private mutating func plan(_ plan: JSONNode.Member, at path: String) -> (PlanTerms, OveragePrice?) {
        var terms = PlanTerms(name: plan.name)
        var overagePrice: OveragePrice?
        var lines: [String: Int] = [:]
        for member in members(of: plan.node, at: path) {
            let memberPath = "\(path).\(member.name)"
            lines[member.name] = member.line
            switch member.name {
            case "sign_up": terms.signUp = signUp(member.node, at: memberPath)
            case "allowance": terms.allowance = allowance(member.node, at: memberPath)
            case "cycle":
                let kinds: [(String, PlanTerms.CycleKind)] = [
                    ("calendar_month", .calendarMonth), ("anniversary", .anniversary),
                ]
                terms.cycle = word(member.node, kinds, at: memberPath)
            case "rollover": terms.rollover = rollover(member.node, at: memberPath)
            case "trial": terms.trial = trial(member.node, at: memberPath)
            case "counts": terms.counts = states(member.node, at: memberPath)
            case "packs": terms.packs = states(member.node, at: memberPath)
            case "overage": (terms.overage, overagePrice) = overage(member.node, at: memberPath)
            default:
                unknown(
                    member, at: path,
                    known: "sign_up, allowance, cycle, rollover, trial, counts, packs, overage")
            }
        }
        if terms.allowance != nil, terms.cycle == nil { terms.cycle = .calendarMonth }
        if let line = lines["rollover"], lines["allowance"] == nil {
            add(line, path + ".rollover", "is of no use without \"allowance\", which is what rolls over")
        }
        if let line = lines["overage"], terms.overage?.isBilled == true, terms.cycle == nil {
            add(line, path + ".overage", "is billed at a cycle's end, but the plan has no \"cycle\"")
        }
        return (terms, overagePrice)
    }

    private mutating func signUp(_ node: JSONNode, at path: String) -> [PlanTerms.SignUpCredits] {
        elements(of: node, of: "credits", at: path, atMost: Limits.maxSignUpGrants).map { (node, path) in
            var credits = PlanTerms.SignUpCredits(kind: .complimentary, amountMicros: 0, expiresAfterDays: nil)
            var hasMicros = false
            for member in members(of: node, at: path) {
                let memberPath = "\(path).\(member.name)"
                switch member.name {
                case "micros":
                    hasMicros = true
                    credits.amountMicros = micros(member.node, from: 1, at: memberPath) ?? 0
                case "kind": credits.kind = word(member.node, Self.kinds, at: memberPath) ?? credits.kind
                case "expires_after_days":
                    credits.expiresAfterDays = integer(member.node, 1...Limits.maxPlanDays, at: memberPath)
                default: unknown(member, at: path, known: "micros, kind, expires_after_days")
                }
            }
            if !hasMicros { missing("micros", in: node, at: path, "say how much is given") }
            return credits
        }
    }

    private mutating func allowance(_ node: JSONNode, at path: String) -> PlanTerms.Allowance {
        var allowance = PlanTerms.Allowance(kind: .subscription, amountMicros: 0)
        var hasMicros = false
        for member in members(of: node, at: path) {
            let memberPath = "\(path).\(member.name)"
            switch member.name {
            case "micros":
                hasMicros = true
                allowance.amountMicros = micros(member.node, from: 1, at: memberPath) ?? 0
            case "kind": allowance.kind = word(member.node, Self.kinds, at: memberPath) ?? allowance.kind
            default: unknown(member, at: path, known: "micros, kind")
            }
        }
        if !hasMicros { missing("micros", in: node, at: path, "say how much each cycle gives") }
        return allowance
    }

    private mutating func rollover(_ node: JSONNode, at path: String) -> PlanTerms.Rollover {
        var rollover = PlanTerms.Rollover(minimumMicros: 0, maximumMicros: 0, expiresAfterCycles: nil)
        var hasMaximum = false
        for member in members(of: node, at: path) {
            let memberPath = "\(path).\(member.name)"
            switch member.name {
            case "minimum_micros": rollover.minimumMicros = micros(member.node, at: memberPath) ?? 0
            case "maximum_micros":
                hasMaximum = true
                rollover.maximumMicros = micros(member.node, from: 1, at: memberPath) ?? .max
            case "expires_after_cycles":
                rollover.expiresAfterCycles = integer(member.node, 1...Limits.maxRolloverCycles, at: memberPath)
            default: unknown(member, at: path, known: "minimum_micros, maximum_micros, expires_after_cycles")
            }
        }
        if !hasMaximum {
            missing("maximum_micros", in: node, at: path, "say how much rolls over at most")
        } else if rollover.minimumMicros > rollover.maximumMicros {
            add(node.line, path, "its minimum_micros is more than its maximum_micros")
        }
        return rollover
    }

    private mutating func trial(_ node: JSONNode, at path: String) -> PlanTerms.Trial {
        var trial = PlanTerms.Trial(days: 1, amountMicros: 0, then: .active)
        var hasDays = false
        for member in members(of: node, at: path) {
            let memberPath = "\(path).\(member.name)"
            switch member.name {
            case "days":
                hasDays = true
                trial.days = integer(member.node, 1...Limits.maxPlanDays, at: memberPath) ?? 1
            case "micros": trial.amountMicros = micros(member.node, at: memberPath) ?? 0
            case "then":
                let states = Self.states.filter { $0.1 != .trial }
                trial.then = word(member.node, states, at: memberPath) ?? .active
            default: unknown(member, at: path, known: "days, micros, then")
            }
        }
        if !hasDays { missing("days", in: node, at: path, "say how long it lasts") }
        return trial
    }

    private mutating func states(_ node: JSONNode, at path: String) -> SubscriptionStates {
        var states: SubscriptionStates = []
        for (name, line) in strings(node, of: "states", at: path) {
            if let state = Self.states.first(where: { $0.0 == name })?.1 {
                states.insert(SubscriptionStates(state))
            } else {
                let known = Self.states.map(\.0).joined(separator: ", ")
                add(line, path, "there is no state \"\(name)\"; there are \(known)")
            }
        }
        return states
    }

    private mutating func overage(_ node: JSONNode, at path: String) -> (PlanTerms.Overage, OveragePrice?) {
        var overage = PlanTerms.Overage(capMicros: 0, isBilled: false)
        var price: OveragePrice?
        var found: Set<String> = []
        for member in members(of: node, at: path) {
            let memberPath = "\(path).\(member.name)"
            found.insert(member.name)
            switch member.name {
            case "cap_micros": overage.capMicros = micros(member.node, from: 1, at: memberPath) ?? 0
            case "price": price = overagePrice(member.node, at: memberPath)
            case "billed": overage.isBilled = bool(member.node, at: memberPath) ?? false
            default: unknown(member, at: path, known: "cap_micros, price, billed")
            }
        }
        if !found.contains("cap_micros") {
            missing("cap_micros", in: node, at: path, "say how far use may go on past zero")
        }
        if overage.isBilled, !found.contains("price") {
            missing("price", in: node, at: path, "say what is billed for it")
        }
        return (overage, price)
    }

    private mutating func overagePrice(_ node: JSONNode, at path: String) -> OveragePrice {
        var perMicros = OveragePrice.microsPerCredit
        let price = price(node, at: path, andPer: { perMicros = $0 })
        return OveragePrice(price: price, perMicros: perMicros)
    }

    // MARK: - Packs

    mutating func packs(_ node: JSONNode) -> [Pack] {
        var packs: [Pack] = []
        var popular: String?
        for (member, path) in named(node, at: "packs", "packs", atMost: Limits.maxPacks) {
            checkName(member, maxBytes: Limits.maxPackIDBytes, at: path)
            guard let pack = pack(member, at: path) else { continue }
            if pack.isPopular {
                if let popular { add(member.line, path, "is popular, and so is \"\(popular)\"; at most one may be") }
                popular = pack.id
            }
            if let first = packs.first, first.price.currency != pack.price.currency {
                add(
                    member.line, path,
                    "is in \(pack.price.currency) and \"\(first.id)\" in \(first.price.currency); all packs must be "
                        + "in one currency")
            }
            packs.append(pack)
        }
        return packs.sorted { ($0.amountMicros, $0.id) < ($1.amountMicros, $1.id) }
    }

    private mutating func pack(_ pack: JSONNode.Member, at path: String) -> Pack? {
        var read = Pack(
            id: pack.name, name: pack.name, amountMicros: 0, price: Price(currency: "", minorUnits: 0))
        var found: Set<String> = []
        for member in members(of: pack.node, at: path) {
            let memberPath = "\(path).\(member.name)"
            found.insert(member.name)
            switch member.name {
            case "name":
                read.name = string(member.node, at: memberPath) ?? "?"
                checkName(read.name, member.line, maxBytes: Limits.maxDisplayNameBytes, at: memberPath)
            case "micros": read.amountMicros = micros(member.node, from: 1, at: memberPath) ?? 1
            case "price": read.price = price(member.node, at: memberPath)
            case "popular": read.isPopular = bool(member.node, at: memberPath) ?? false
            case "savings_percent": read.savingsPercent = integer(member.node, 0...100, at: memberPath)
            default: unknown(member, at: path, known: "name, micros, price, popular, savings_percent")
            }
        }
        if !found.contains("micros") {
            missing("micros", in: pack.node, line: pack.line, at: path, "say how many credits it has")
        }
        if !found.contains("price") {
            missing("price", in: pack.node, line: pack.line, at: path, "say what it costs")
            return nil
        }
        return isObject(pack.node) ? read : nil
    }

    /// An amount of money; where `andPer` is given also for how many micros it is.
    private mutating func price(
        _ node: JSONNode, at path: String, andPer: ((Int64) -> Void)? = nil
    ) -> Price {
        var price = Price(currency: "", minorUnits: 0)
        var found: Set<String> = []
        for member in members(of: node, at: path) {
            let memberPath = "\(path).\(member.name)"
            found.insert(member.name)
            switch member.name {
            case "currency":
                price.currency = string(member.node, at: memberPath) ?? ""
                if case .string = member.node.value, !Self.isCurrency(price.currency) {
                    add(member.line, memberPath, "is \"\(price.currency)\"; it must be three letters such as GBP")
                }
            case "minor_units":
                price.minorUnits = integer(member.node, 1...Limits.maxMinorUnits, at: memberPath) ?? 1
            case "per_micros" where andPer != nil:
                andPer?(micros(member.node, from: 1, at: memberPath) ?? 1)
            default:
                unknown(member, at: path, known: "currency, minor_units" + (andPer == nil ? "" : ", per_micros"))
            }
        }
        if !found.contains("currency") { missing("currency", in: node, at: path, "say in which, such as GBP") }
        if !found.contains("minor_units") {
            missing("minor_units", in: node, at: path, "say how much in the currency's smallest unit")
        }
        return price
    }

    private static func isCurrency(_ text: String) -> Bool {
        text.utf8.count == 3 && text.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    }
}
