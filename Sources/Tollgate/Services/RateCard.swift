import Engine
import Ledger
import Protobuf
import RPC
import TollgateSchema

extension CreditsHandlers {
    func getRateCard(_ request: GetRateCardRequest, context: ServerContext) async throws -> GetRateCardResponse {
        let tenant = try context.tenantAccess().tenant
        let (qualities, now) = try await engine.read(tenant: tenant) { state, now in
            (state.governance.qualities, now)
        }
        return .with {
            $0.features = catalogs.current.rateCard(for: tenant).map { schedule in
                RateCardFeature(schedule, at: now, defaultQuality: qualities[schedule.first.feature])
            }
        }
    }
}

extension RateCardFeature {
    /// - Parameter defaultQuality: the tenant's setting; nil where it has none.
    init(_ schedule: PriceSchedule, at now: Instant, defaultQuality: Ledger.Quality?) {
        self.init()
        let price = schedule.price(at: now)
        feature = price.feature
        units = price.units.map { RateCardUnit($0) }
        qualities = [Ledger.Quality.cheap, .medium, .best].map { quality in
            .with {
                $0.quality = TollgateSchema.Quality(quality)
                $0.percent = price.percent(at: quality)
            }
        }
        fixedMicros = price.fixedMicros
        minimumMicros = price.minimumMicros
        self.defaultQuality = TollgateSchema.Quality(defaultQuality ?? .medium)
        nextPriceTime = schedule.price(after: now).map { Timestamp($0.from) }
    }
}

extension RateCardUnit {
    init(_ unit: UnitPrice) {
        self.init()
        self.unit = unit.unit
        tiers = unit.tiers.map { tier in
            .with {
                $0.name = tier.name
                $0.fromQuantity = tier.from
                $0.fixedMicros = tier.fixedMicros
                $0.unitMicros = tier.amountMicros
                $0.per = tier.per
                $0.minimumMicros = tier.minimumMicros
                $0.maximumMicros = tier.maximumMicros
            }
        }
        guard tiers.isEmpty else { return }
        unitMicros = unit.amountMicros
        per = unit.per
    }
}

extension TollgateSchema.Quality {
    init(_ quality: Ledger.Quality) {
        self.init(rawValue: Int32(quality.rawValue))
    }
}

extension QuoteResponse {
    init(_ quote: Quote, _ balance: BalanceAfter) {
        self.init()
        amountMicros = quote.amountMicros
        lines = quote.lines.map { TollgateSchema.PriceLine($0) }
        affordable = quote.amountMicros <= balance.available
        self.balance = StepBalance(balance)
        refusal = quote.refusal.flatMap(Reason.init)?.rawValue ?? ""
        priceVersion = quote.priceVersion
        quality = TollgateSchema.Quality(quote.quality)
    }
}

extension Reason {
    /// With what a reserve is refused that is in order by itself.
    fileprivate init?(_ refusal: Refusal) {
        switch refusal {
        case .insufficientCredits: self = .insufficientCredits
        case .hardLimitReached: self = .hardLimitReached
        case .aiDisabled: self = .aiDisabled
        default: return nil
        }
    }
}

extension TollgateSchema.PriceLine {
    init(_ line: Ledger.PriceLine) {
        self.init()
        kind =
            switch line.kind {
            case .unit: .unit
            case .fixed: .fixed
            case .minimum: .minimum
            }
        unit = line.quantity.unit
        quantity = line.quantity.count
        unitMicros = line.unitMicros
        per = line.per
        tier = line.tier
        qualityPercent = line.qualityPercent
        amountMicros = line.amountMicros
    }
}
