/// The prices under which the tenant's reservations were made, and which of them a feature has now.
struct PriceTable: Sendable {
    /// By version, from 1.
    private(set) var prices: [FeaturePrice] = []
    private var current: [String: UInt32] = [:]
    /// Some of what `current` has, the newest first: mostly the price that is looked for is one of these very objects, and no
    /// name has to be hashed for it.
    private var recent: [UInt32] = []

    init() {}

    init(_ prices: [VersionedPrice]) {
        for price in prices { add(price.price) }
    }

    var nextVersion: UInt32 { UInt32(prices.count + 1) }

    subscript(version: UInt32) -> FeaturePrice? {
        version >= 1 && version <= prices.count ? prices[Int(version) - 1] : nil
    }

    /// The price that reservations of the feature were last made under.
    func current(_ feature: String) -> FeaturePrice? {
        current[feature].flatMap { self[$0] }
    }

    /// The version of exactly this price, where it is the feature's last one.
    func version(of price: FeaturePrice) -> UInt32? {
        for version in recent where prices[Int(version) - 1].isShared(with: price) { return version }
        guard let version = current[price.feature], prices[Int(version) - 1] == price else { return nil }
        return version
    }

    mutating func add(_ price: FeaturePrice) {
        prices.append(price)
        let version = UInt32(prices.count)
        if let before = current.updateValue(version, forKey: price.feature) { recent.removeAll { $0 == before } }
        if recent.count == Limits.maxRecentPrices { recent.removeLast() }
        recent.insert(version, at: 0)
    }
}
