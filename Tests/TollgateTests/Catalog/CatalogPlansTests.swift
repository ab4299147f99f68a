import Ledger
import Storage
import Testing

@testable import Tollgate

@Suite("A catalog's sizes, dated prices, tenants, plans and packs are read whole or refused with their line")
struct CatalogPlansTests {
    private func catalog(_ text: String) throws -> Catalog {
        try Catalog(parsing: Array(text.utf8))
    }

    private func faults(_ text: String) -> [String] {
        do {
            _ = try catalog(text)
            return []
        } catch {
            guard case .invalid(let faults, false)? = error as? CatalogError else { return ["\(error)"] }
            return faults.map(\.description)
        }
    }

    // MARK: - What is read

    @Test("sizes, a fixed price and a minimum")
    func shapes() throws {
        let catalog = try catalog(
            """
            { "features": { "shot": {
                "units": { "pixels": { "tiers": [
                    { "name": "small", "from": 1, "micros": 2, "per": 3, "minimum_micros": 4, "maximum_micros": 5 },
                    { "name": "large", "from": 10, "fixed_micros": 9 } ] } },
                "fixed_micros": 7, "minimum_micros": 8, "quality_percent": { "best": 200 } },
              "call": { "fixed_micros": 0 } } }
            """)
        let tiers = [
            PriceTier(name: "small", from: 1, amountMicros: 2, per: 3, minimumMicros: 4, maximumMicros: 5),
            PriceTier(name: "large", from: 10, amountMicros: 0, fixedMicros: 9),
        ]
        #expect(
            catalog.price(of: "shot")?.first
                == FeaturePrice(
                    feature: "shot", units: [UnitPrice(unit: "pixels", tiers: tiers)],
                    qualityPercent: [100, 100, 100, 200], fixedMicros: 7, minimumMicros: 8))
        #expect(catalog.price(of: "call")?.first == FeaturePrice(feature: "call", units: [], fixedMicros: 0))
    }

    @Test("prices that are yet to come are sorted by their moment, and a tenant's own go before the general ones")
    func schedules() throws {
        let catalog = try catalog(
            """
            { "features": { "a": { "fixed_micros": 1, "next": [
                { "from": "2026-06-01T00:00:00Z", "fixed_micros": 3 },
                { "from": "2026-03-01T02:00:00+02:00", "fixed_micros": 2, "minimum_micros": 5 } ] },
                "b": { "fixed_micros": 10 } },
              "tenants": { "acme": { "features": { "b": { "fixed_micros": 20 }, "c": { "fixed_micros": 30 } } } } }
            """)
        let march = Instant(microseconds: 1_772_323_200_000_000)
        let price = { (micros: Int64, minimum: Int64) in
            FeaturePrice(feature: "a", units: [], fixedMicros: micros, minimumMicros: minimum)
        }
        let schedule = try #require(catalog.price(of: "a"))
        #expect(schedule.price(at: march.advanced(microseconds: -1)) == price(1, 0))
        #expect(schedule.price(at: march) == price(2, 5))
        #expect(schedule.price(at: .distantFuture) == price(3, 0))

        let (acme, other) = (try #require(TenantID("acme")), try #require(TenantID("other")))
        let inForce = CatalogInForce(catalog, ReadyPrices(catalog))
        #expect(inForce.price(of: "b", for: acme)?.first.fixedMicros == 20)
        #expect(inForce.price(of: "b", for: other)?.first.fixedMicros == 10)
        #expect(inForce.price(of: "c", for: other) == nil)
        #expect(inForce.rateCard(for: acme).map(\.first.feature) == ["a", "b", "c"])
        #expect(inForce.rateCard(for: other).map(\.first.feature) == ["a", "b"])
        for (tenant, fixed) in [(acme, [1, 20, 30]), (other, [1, 10, nil])] as [(TenantID, [Int64?])] {
            let prices = inForce.prices(for: tenant)
            let found = ["a", "b", "c"].map { name in
                Array(name.utf8).withUnsafeBytes { prices[BorrowedText($0)]?.price.first.fixedMicros }
            }
            #expect(found == fixed)
        }
    }

    @Test("plans and packs, with what is left out filled in")
    func plans() throws {
        let catalog = try catalog(
            """
            { "plans": {
                "full": {
                    "sign_up": [{ "micros": 5, "kind": "gifted", "expires_after_days": 30 }, { "micros": 6 }],
                    "allowance": { "micros": 100, "kind": "complimentary" }, "cycle": "anniversary",
                    "rollover": { "minimum_micros": 1, "maximum_micros": 50, "expires_after_cycles": 2 },
                    "trial": { "days": 14, "micros": 40, "then": "canceled" },
                    "counts": ["active", "past_due"], "packs": ["active", "grandfathered"],
                    "overage": {
                        "cap_micros": 70, "billed": true,
                        "price": { "currency": "USD", "minor_units": 40, "per_micros": 2000000 } }
                },
                "plain": { "allowance": { "micros": 1 } }, "empty": {} },
              "packs": {
                "big": { "micros": 9, "price": { "currency": "GBP", "minor_units": 8 }, "popular": true },
                "small": { "name": "Small", "micros": 1, "price": { "currency": "GBP", "minor_units": 1 } } } }
            """)
        var full = PlanTerms(name: "full")
        full.signUp = [
            .init(kind: .gifted, amountMicros: 5, expiresAfterDays: 30),
            .init(kind: .complimentary, amountMicros: 6, expiresAfterDays: nil),
        ]
        full.allowance = .init(kind: .complimentary, amountMicros: 100)
        full.cycle = .anniversary
        full.rollover = .init(minimumMicros: 1, maximumMicros: 50, expiresAfterCycles: 2)
        full.trial = .init(days: 14, amountMicros: 40, then: .canceled)
        full.counts = [.active, .pastDue]
        full.packs = [.active, .grandfathered]
        full.overage = .init(capMicros: 70, isBilled: true)
        var plain = PlanTerms(name: "plain")
        plain.allowance = .init(kind: .subscription, amountMicros: 1)
        plain.cycle = .calendarMonth
        #expect(catalog.plans == ["full": full, "plain": plain, "empty": PlanTerms(name: "empty")])
        #expect(
            catalog.overagePrices == [
                "full": OveragePrice(price: Price(currency: "USD", minorUnits: 40), perMicros: 2_000_000)
            ])
        #expect(
            catalog.packs == [
                Pack(id: "small", name: "Small", amountMicros: 1, price: Price(currency: "GBP", minorUnits: 1)),
                Pack(
                    id: "big", name: "big", amountMicros: 9, price: Price(currency: "GBP", minorUnits: 8),
                    isPopular: true),
            ])
    }

    // MARK: - What is refused

    @Test(
        "each fault is told with its line, its place and what would be right",
        arguments: [
            (
                #"{"features": {"a": {"units": {"u": {"tiers": []}}}}}"#,
                "line 1: features.a.units.u.tiers: is empty; leave it out or say what each size costs"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\"u\": {\"tiers\": [\n{\"from\": 1, \"micros\": 1}]}}}}}",
                "line 2: features.a.units.u.tiers[0]: has no \"name\"; say how the size is called"
            ),
            (
                #"{"features": {"a": {"units": {"u": {"tiers": [{"name": "s"}]}}}}}"#,
                "line 1: features.a.units.u.tiers[0]: has neither \"micros\" nor \"fixed_micros\"; say what it costs"
            ),
            (
                "{\"features\": {\"a\": {\"units\": {\"u\": {\"tiers\": [{\"name\": \"s\", \"from\": 5, \"micros\": 1},"
                    + "\n{\"name\": \"l\", \"from\": 5, \"micros\": 1}]}}}}}",
                "line 2: features.a.units.u.tiers[1]: is from 5, which is not more than the tier before it"
            ),
            (
                #"{"features": {"a": {"units": {"u": {"tiers": [{"name": "s", "from": 5, "micros": 1}, "#
                    + #"{"name": "s", "from": 6, "micros": 1}]}}}}}"#,
                "line 1: features.a.units.u.tiers[1]: the tier \"s\" stands above already"
            ),
            (
                #"{"features": {"a": {"units": {"u": {"tiers": [{"name": "s", "micros": 1, "minimum_micros": 3, "#
                    + #""maximum_micros": 2}]}}}}}"#,
                "line 1: features.a.units.u.tiers[0]: its minimum_micros is more than its maximum_micros"
            ),
            (
                #"{"features": {"a": {"units": {"u": {"micros": 1, "tiers": [{"name": "s", "micros": 1}]}}}}}"#,
                "line 1: features.a.units.u.micros: is of no use beside \"tiers\"; leave one out"
            ),
            (
                #"{"features": {"a": {"fixed_micros": -1}}}"#,
                "line 1: features.a.fixed_micros: is -1; it must be from 0 to 10000000000000000"
            ),
            (
                "{\"features\": {\"a\": {\"fixed_micros\": 1, \"next\": [\n{\"fixed_micros\": 1}]}}}",
                "line 2: features.a.next[0]: has no \"from\"; say from which moment on it holds"
            ),
            (
                #"{"features": {"a": {"fixed_micros": 1, "next": [{"from": "2026-03-01", "fixed_micros": 1}]}}}"#,
                "line 1: features.a.next[0].from: \"2026-03-01\" is no moment such as 2026-03-01T00:00:00Z"
            ),
            (
                #"{"features": {"a": {"fixed_micros": 1, "next": [{"from": "2026-03-01T00:00:00Z"}]}}}"#,
                "line 1: features.a.next[0]: has neither \"units\" nor \"fixed_micros\"; say what it costs"
            ),
            (
                #"{"features": {"a": {"fixed_micros": 1, "next": [{"from": "2026-03-01T00:00:00Z", "fixed_micros": 1}, "#
                    + #"{"from": "2026-03-01T01:00:00+01:00", "fixed_micros": 1}]}}}"#,
                "line 1: features.a.next[1]: is from the same moment as another one"
            ),
            (
                #"{"features": {"a": {"fixed_micros": 1, "next": [{"from": "2026-03-01T00:00:00Z", "fixed_micros": 1, "#
                    + #""next": []}]}}}"#,
                "line 1: features.a.next[0]: the name \"next\" means nothing here; what does is from, units, "
                    + "fixed_micros, minimum_micros, quality_percent"
            ),
            (
                #"{"tenants": {"Acme": {"features": {}}}}"#,
                "line 1: tenants.Acme: is no tenant's id; that is 1 to 63 of a-z, 0-9 and -, not beginning with -"
            ),
            (#"{"tenants": {"a": {}}}"#, "line 1: tenants.a: has no \"features\"; say which prices are its own"),
            (
                #"{"tenants": {"a": {"features": {"x": {}}}}}"#,
                "line 1: tenants.a.features.x: has neither \"units\" nor \"fixed_micros\"; say what it costs"
            ),
            (
                #"{"plans": {"p": {"credits": 1}}}"#,
                "line 1: plans.p: the name \"credits\" means nothing here; what does is sign_up, allowance, cycle, "
                    + "rollover, trial, counts, packs, overage"
            ),
            (
                #"{"plans": {"p": {"allowance": {}}}}"#,
                "line 1: plans.p.allowance: has no \"micros\"; say how much each cycle gives"
            ),
            (
                #"{"plans": {"p": {"allowance": {"micros": 0}}}}"#,
                "line 1: plans.p.allowance.micros: is 0; it must be from 1 to 10000000000000000"
            ),
            (
                #"{"plans": {"p": {"allowance": {"micros": 1, "kind": "free"}}}}"#,
                "line 1: plans.p.allowance.kind: is \"free\"; it must be one of subscription, complimentary, gifted, "
                    + "purchased"
            ),
            (
                #"{"plans": {"p": {"cycle": "weekly"}}}"#,
                "line 1: plans.p.cycle: is \"weekly\"; it must be one of calendar_month, anniversary"
            ),
            (
                "{\"plans\": {\"p\": {\n\"rollover\": {\"maximum_micros\": 1}}}}",
                "line 2: plans.p.rollover: is of no use without \"allowance\", which is what rolls over"
            ),
            (
                #"{"plans": {"p": {"allowance": {"micros": 1}, "rollover": {}}}}"#,
                "line 1: plans.p.rollover: has no \"maximum_micros\"; say how much rolls over at most"
            ),
            (
                #"{"plans": {"p": {"allowance": {"micros": 1}, "rollover": {"minimum_micros": 2, "maximum_micros": 1}}}}"#,
                "line 1: plans.p.rollover: its minimum_micros is more than its maximum_micros"
            ),
            (
                #"{"plans": {"p": {"allowance": {"micros": 1}, "#
                    + #""rollover": {"maximum_micros": 1, "expires_after_cycles": 0}}}}"#,
                "line 1: plans.p.rollover.expires_after_cycles: is 0; it must be from 1 to 1200"
            ),
            (#"{"plans": {"p": {"trial": {}}}}"#, "line 1: plans.p.trial: has no \"days\"; say how long it lasts"),
            (
                #"{"plans": {"p": {"trial": {"days": 1, "then": "trial"}}}}"#,
                "line 1: plans.p.trial.then: is \"trial\"; it must be one of active, grandfathered, past_due, canceled"
            ),
            (
                #"{"plans": {"p": {"packs": ["paid"]}}}"#,
                "line 1: plans.p.packs: there is no state \"paid\"; there are trial, active, grandfathered, past_due, "
                    + "canceled"
            ),
            (
                #"{"plans": {"p": {"sign_up": {"micros": 1}}}}"#,
                "line 1: plans.p.sign_up: must be a list of credits, not an object"
            ),
            (
                #"{"plans": {"p": {"overage": {}}}}"#,
                "line 1: plans.p.overage: has no \"cap_micros\"; say how far use may go on past zero"
            ),
            (
                #"{"plans": {"p": {"cycle": "anniversary", "overage": {"cap_micros": 1, "billed": true}}}}"#,
                "line 1: plans.p.overage: has no \"price\"; say what is billed for it"
            ),
            (
                "{\"plans\": {\"p\": {\n\"overage\": {\"cap_micros\": 1, \"billed\": true, "
                    + "\"price\": {\"currency\": \"USD\", \"minor_units\": 4}}}}}",
                "line 2: plans.p.overage: is billed at a cycle's end, but the plan has no \"cycle\""
            ),
            (
                #"{"packs": {"k": {"price": {"currency": "USD", "minor_units": 1}}}}"#,
                "line 1: packs.k: has no \"micros\"; say how many credits it has"
            ),
            (#"{"packs": {"k": {"micros": 1}}}"#, "line 1: packs.k: has no \"price\"; say what it costs"),
            (
                #"{"packs": {"k": {"micros": 1, "price": {"currency": "usd", "minor_units": 1}}}}"#,
                "line 1: packs.k.price.currency: is \"usd\"; it must be three letters such as GBP"
            ),
            (
                #"{"packs": {"k": {"micros": 1, "price": {"currency": "USD", "minor_units": 1, "per_micros": 1}}}}"#,
                "line 1: packs.k.price: the name \"per_micros\" means nothing here; what does is currency, minor_units"
            ),
            (
                #"{"packs": {"a": {"micros": 1, "popular": true, "price": {"currency": "USD", "minor_units": 1}}, "#
                    + #""b": {"micros": 1, "popular": true, "price": {"currency": "USD", "minor_units": 1}}}}"#,
                "line 1: packs.b: is popular, and so is \"a\"; at most one may be"
            ),
            (
                #"{"packs": {"a": {"micros": 1, "price": {"currency": "USD", "minor_units": 1}}, "#
                    + #""b": {"micros": 1, "price": {"currency": "INR", "minor_units": 1}}}}"#,
                "line 1: packs.b: is in INR and \"a\" in USD; all packs must be in one currency"
            ),
        ])
    func eachFault(text: String, fault: String) {
        #expect(faults(text) == [fault])
    }

    @Test("too many of anything, and names that are too long, are faults")
    func bounds() {
        let list = { (count: Int, entry: String) in
            (0..<count).map { #""n\#($0)": \#(entry)"# }.joined(separator: ",")
        }
        #expect(
            faults(#"{"plans": {\#(list(1_001, "{}"))}}"#) == [
                "line 1: plans: has 1001 plans; at most 1000 are allowed"
            ])
        let pack = #"{"micros": 1, "price": {"currency": "USD", "minor_units": 1}}"#
        #expect(
            faults(#"{"packs": {\#(list(101, pack))}}"#) == ["line 1: packs: has 101 packs; at most 100 are allowed"])
        let name = { (count: Int) in String(repeating: "n", count: count) }
        #expect(faults(#"{"plans": {"\#(name(63))": {}}}"#) == [])
        #expect(faults(#"{"plans": {"\#(name(64))": {}}}"#).first?.hasSuffix("at most 63 are allowed") == true)
        let tiers = (0..<33).map { #"{"name": "t\#($0)", "from": \#($0), "micros": 1}"# }.joined(separator: ",")
        #expect(
            faults(#"{"features": {"a": {"units": {"u": {"tiers": [\#(tiers)]}}}}}"#)
                == ["line 1: features.a.units.u.tiers: has 33 tiers; at most 32 are allowed"])
    }
}
