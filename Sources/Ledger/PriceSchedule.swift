/// What a feature costs now and from which moments on it costs something else: the catalog's word, so that a step is priced
/// by the moment at which it is decided. It never changes, and everybody who names it shares it.
package final class PriceSchedule: Sendable, Equatable {
    /// A price that holds from a moment on.
    package struct Dated: Equatable, Sendable {
        package var from: Instant
        package var price: FeaturePrice

        package init(from: Instant, price: FeaturePrice) {
            self.from = from
            self.price = price
        }
    }

    /// Holds until the first of `next`.
    package let first: FeaturePrice
    /// In the order of time, no two at one moment.
    package let next: [Dated]

    package init(_ first: FeaturePrice, next: [Dated] = []) {
        precondition(zip(next, next.dropFirst()).allSatisfy { $0.from < $1.from }, "prices out of the order of time")
        self.first = first
        self.next = next
    }

    /// The price that holds at a moment.
    package func price(at instant: Instant) -> FeaturePrice {
        if next.isEmpty { return first }
        return next.last { $0.from <= instant }?.price ?? first
    }

    /// The first price that comes after a moment; nil where none does.
    package func price(after instant: Instant) -> Dated? {
        next.first { $0.from > instant }
    }

    /// Every price that holds at some time.
    package var all: [FeaturePrice] { [first] + next.map(\.price) }

    package static func == (a: PriceSchedule, b: PriceSchedule) -> Bool {
        a === b || a.first == b.first && a.next == b.next
    }
}
