import Engine
import Ledger
import Protobuf
import RPC
import TollgateSchema

/// `tollgate.v1.Purchases`: the packs that are sold. What buys them is not served yet and answers UNIMPLEMENTED.
struct PurchasesHandlers: PurchasesService {
    let engine: Engine
    let catalogs: CatalogKeeper

    func listPacks(_ request: ListPacksRequest, context: ServerContext) async throws -> ListPacksResponse {
        let tenant = try context.tenantAccess().tenant
        let subscription = try await engine.read(tenant: tenant) { state, _ in state.governance.subscription }
        let catalog = catalogs.current.catalog
        let hindrance = PurchaseHindrance(subscription, packs: catalog.packs)
        return .with {
            $0.packs = TollgateSchema.Pack.shelf(catalog.packs)
            $0.purchaseAllowed = hindrance == nil
            $0.notAllowedText = hindrance?.text ?? ""
            if let subscription, subscription.overageCapMicros > 0 {
                $0.overagePricePerCredit = catalog.overagePrices[subscription.terms.name].map { Money(perCredit: $0) }
            }
        }
    }
}

/// Why a tenant may not buy packs, with a sentence to show.
enum PurchaseHindrance: Equatable {
    case noPacks
    case noPlan
    case plan
    case trial
    case state(Ledger.SubscriptionState)

    /// Nil where it may buy.
    init?(_ subscription: Ledger.Subscription?, packs: [Pack]) {
        guard let subscription else {
            self = .noPlan
            return
        }
        guard subscription.mayBuyPacks else {
            let isTrial = subscription.state == .trial
            self = isTrial ? .trial : subscription.terms.packs.isEmpty ? .plan : .state(subscription.state)
            return
        }
        guard packs.isEmpty else { return nil }
        self = .noPacks
    }

    var text: String {
        switch self {
        case .noPacks: "Credit packs are being configured. Check back soon."
        case .noPlan: "You have no plan that includes buying credits. Choose one to buy credits."
        case .plan: "Your plan does not include buying credits. Upgrade to one that does."
        case .trial: "Your trial includes free AI credits. Upgrade to a paid plan to purchase additional credits."
        case .state(.pastDue): "Credits cannot be bought while a payment is owed."
        case .state(.canceled): "Credits cannot be bought on a subscription that has ended."
        case .state: "Credits cannot be bought as your subscription stands."
        }
    }
}

extension TollgateSchema.Pack {
    /// The packs as they are shown, side by side: which is cheapest, and by how much. They are in one currency.
    static func shelf(_ packs: [Pack]) -> [TollgateSchema.Pack] {
        guard let dearest = packs.max(by: { $0.isCheaper(than: $1) }) else { return [] }
        let cheapest = packs.filter { $0.isCheaper(than: dearest) }.min { $0.isCheaper(than: $1) }
        return packs.map { pack in
            .with {
                $0.packID = pack.id
                $0.name = pack.name
                $0.amountMicros = pack.amountMicros
                $0.price = Money(pack.price)
                $0.pricePerCreditMillionths = pack.pricePerCreditMillionths
                $0.savingsPercent =
                    pack.savingsPercent.map { Int32(clamping: $0) } ?? pack.savingsPercent(over: dearest)
                $0.bestValue = pack.id == cheapest?.id
                $0.popular = pack.isPopular
            }
        }
    }
}

extension Pack {
    /// Whether a credit of it costs less.
    fileprivate func isCheaper(than other: Pack) -> Bool {
        Int128(price.minorUnits) * Int128(other.amountMicros) < Int128(other.price.minorUnits) * Int128(amountMicros)
    }

    /// Of the currency's smallest unit, rounded down.
    var pricePerCreditMillionths: Int64 {
        Int64(clamping: Int128(price.minorUnits) * 1_000_000_000_000 / Int128(amountMicros))
    }

    /// How much less a credit of it costs, in whole percent.
    fileprivate func savingsPercent(over dearest: Pack) -> Int32 {
        let own = Int128(price.minorUnits) * Int128(dearest.amountMicros)
        let others = Int128(dearest.price.minorUnits) * Int128(amountMicros)
        return Int32(clamping: (others - own) * 100 / others)
    }
}

extension Money {
    init(_ price: Price) {
        self.init()
        currency = price.currency
        minorUnits = price.minorUnits
    }

    /// What one credit costs, rounded up to the currency's smallest unit.
    init(perCredit overage: OveragePrice) {
        self.init(overage.price)
        let (whole, rest) = (Int128(overage.price.minorUnits) * Int128(OveragePrice.microsPerCredit))
            .quotientAndRemainder(dividingBy: Int128(overage.perMicros))
        minorUnits = Int64(clamping: rest == 0 ? whole : whole + 1)
    }
}
