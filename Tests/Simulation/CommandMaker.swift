import Ledger
import SeededRandom

/// What callers ask for: the next step of somebody who means well, of somebody who is late, and of somebody who is confused.
struct CommandMaker {
    private var random: SeededRandom
    private var idCount: UInt64 = 0

    static let features = ["chat", "image", "search"]
    static let members = ["", "ada", "bob", "eve"]
    static let second: Int64 = 1_000_000
    static let minute: Int64 = 60 * second
    static let hour: Int64 = 60 * minute
    static let day: Int64 = 24 * hour

    init(_ random: SeededRandom) { self.random = random }

    // MARK: - Ids

    private mutating func newID(_ tenant: Tenant, at now: Instant) -> StepID {
        idCount += 1
        let pick = random.below(100)
        let milliseconds = UInt64(max(0, now.microseconds) / 1_000)
        switch pick {
        // Of version 4: it says nothing of its age.
        case 0..<8: return StepID(high: random.next() & ~0xF000 | 0x4000, low: random.next())
        // Made a while ago, by somebody slow or with a wrong clock.
        case 8..<14:
            let old = milliseconds - min(milliseconds, random.next() % 100_000_000)
            return StepID(high: old << 16 | 0x7000, low: random.next())
        // Used before, in this family or another.
        case 14..<18: return random.pick(tenant.openings) ?? StepID(high: milliseconds << 16 | 0x7000, low: idCount)
        default: return StepID(high: milliseconds << 16 | 0x7000, low: idCount << 20 | random.next() >> 44)
        }
    }

    private mutating func anyReservation(_ tenant: Tenant, at now: Instant) -> StepID {
        let pick = random.below(100)
        // Several may have the same in hand: they race for it.
        if pick < 65, let id = random.pick(Array(tenant.opened.suffix(8))) { return id }
        if pick < 80, let id = random.pick(tenant.opened) { return id }
        if pick < 95, let id = random.pick(Array(tenant.openings.suffix(8))) { return id }
        return newID(tenant, at: now)
    }

    // MARK: - Steps

    mutating func next(for tenant: Tenant, at now: Instant) -> Command {
        let fingerprint = random.next() >> 8
        switch random.below(1_000) {
        case 0..<70: return grant(tenant, at: now, fingerprint)
        case 70..<380: return .reserve(opening(tenant, at: now, fingerprint, isCharge: false))
        case 380..<470: return .charge(opening(tenant, at: now, fingerprint, isCharge: true))
        case 470..<730: return commit(tenant, at: now, fingerprint)
        case 730..<800:
            return .release(ReleaseCommand(reservation: anyReservation(tenant, at: now), fingerprint: fingerprint))
        case 800..<890:
            return .refund(
                RefundCommand(
                    id: newID(tenant, at: now), reservation: anyReservation(tenant, at: now),
                    fingerprint: fingerprint, amountMicros: random.chance(30) ? nil : random.amount(1...40)))
        case 890..<930:
            return .extend(
                ExtendCommand(
                    reservation: anyReservation(tenant, at: now), id: random.chance(70) ? newID(tenant, at: now) : nil,
                    fingerprint: fingerprint, ttlMicroseconds: random.amount(1...2 * Self.hour)))
        case 930..<945: return .revoke(RevokeCommand(grant: random.pick(tenant.grantIDs) ?? newID(tenant, at: now)))
        case 945..<965: return subscribe(tenant, at: now)
        case 965..<985: return setting()
        default: return note(tenant, at: now)
        }
    }

    /// The first credits of a tenant.
    mutating func grant(_ tenant: Tenant, at now: Instant, _ fingerprint: UInt64) -> Command {
        let expiresAt =
            random.chance(60) ? now.advanced(microseconds: random.amount(-Self.minute...20 * Self.hour)) : nil
        let kinds = GrantKind.allCases
        return .grant(
            GrantCommand(
                id: newID(tenant, at: now), fingerprint: fingerprint, kind: kinds[random.below(kinds.count)],
                amountMicros: random.amount(1...900), expiresAt: expiresAt))
    }

    private mutating func opening(
        _ tenant: Tenant, at now: Instant, _ fingerprint: UInt64, isCharge: Bool
    ) -> ReserveCommand {
        let feature = Self.features[random.below(3)]
        let ask: Ask =
            random.chance(15)
            ? .quantities(
                [Quantity(unit: "token", count: random.amount(0...9))], quality: .medium, price: price(of: feature))
            : .amount(random.amount(0...60))
        var command = ReserveCommand(
            id: newID(tenant, at: now), fingerprint: fingerprint, ask: ask,
            minimumMicros: random.chance(15) ? random.amount(0...10) : nil,
            ttlMicroseconds: random.chance(25) ? random.amount(1...5 * Self.second) : random.amount(1...3 * Self.hour),
            feature: feature, actor: Self.members[random.below(4)])
        if random.chance(10) { command.origin = Self.origin }
        return command
    }

    private mutating func price(of feature: String) -> PriceSchedule {
        PriceSchedule(
            FeaturePrice(
                feature: feature,
                units: [UnitPrice(unit: "token", amountMicros: random.amount(1...3), per: 1)],
                qualityPercent: [100, 100, 100, 100]))
    }

    private mutating func commit(_ tenant: Tenant, at now: Instant, _ fingerprint: UInt64) -> Command {
        .commit(
            CommitCommand(
                reservation: anyReservation(tenant, at: now), id: random.chance(40) ? newID(tenant, at: now) : nil,
                fingerprint: fingerprint, ask: .amount(random.amount(0...70)), partial: random.chance(30)))
    }

    private static let origin = CallOrigin(keyID: "key-1", actor: "ada", address: "10.0.0.1")

    // MARK: - What governs the book

    private mutating func subscribe(_ tenant: Tenant, at now: Instant) -> Command {
        let rules: [SubscriptionCommand.AllowanceRule] = [.keep, .topUp, .replace]
        let states = SubscriptionState.allCases
        var plan = random.chance(75) ? random.pick(PlanTable.names) : nil
        if random.chance(4) { plan = random.chance(50) ? "" : "gone" }
        return .subscribe(
            SubscriptionCommand(
                id: random.chance(60) ? newID(tenant, at: now) : nil, plan: plan,
                state: random.chance(25) ? random.pick(states) : nil,
                zone: random.chance(20) ? random.pick(PlanTable.zones) : nil, isAtCycleEnd: random.chance(30),
                allowance: rules[random.below(3)], origin: random.chance(50) ? Self.origin : nil))
    }

    private mutating func setting() -> Command {
        switch random.below(10) {
        case 0..<3: return .set(SettingCommand(.aiEnabled(random.chance(95)), origin: Self.origin))
        case 3..<5:
            return .set(SettingCommand(.quality(feature: Self.features[random.below(3)], .best), origin: Self.origin))
        default:
            var limits: [UsageLimit] = []
            for scope in LimitScope.allCases where random.chance(35) {
                limits.append(
                    UsageLimit(
                        scope: scope, window: LimitWindow.allCases[random.below(3)],
                        member: scope == .member || scope == .memberFeature ? "ada" : "",
                        feature: scope == .feature || scope == .memberFeature ? "chat" : "",
                        soft: .none, hard: .micros(random.amount(50...5_000)), isEnforced: random.chance(80)))
            }
            return .set(SettingCommand(.limits(limits, zone: "UTC", used: []), origin: Self.origin))
        }
    }

    private mutating func note(_ tenant: Tenant, at now: Instant) -> Command {
        .note(
            NoteCommand(
                id: newID(tenant, at: now),
                note: AuditNote(origin: Self.origin, method: "tollgate.v1.Admin/CreateKey", target: "key-2")))
    }

    // MARK: - Once more

    /// The same id with something else in it.
    mutating func altered(_ command: Command) -> Command? {
        let fingerprint = random.next() >> 8
        switch command {
        case .grant(var grant):
            grant.fingerprint = fingerprint
            grant.amountMicros += 1
            return .grant(grant)
        case .reserve(var reserve):
            reserve.fingerprint = fingerprint
            reserve.ask = .amount(random.amount(0...60))
            return .reserve(reserve)
        case .charge(var charge):
            charge.fingerprint = fingerprint
            charge.ask = .amount(random.amount(0...60))
            return .charge(charge)
        case .commit(var commit) where !commit.partial || commit.id != nil:
            commit.fingerprint = fingerprint
            commit.ask = .amount(random.amount(0...70))
            return .commit(commit)
        case .refund(var refund):
            refund.fingerprint = fingerprint
            refund.amountMicros = 1
            return .refund(refund)
        default: return nil
        }
    }
}
