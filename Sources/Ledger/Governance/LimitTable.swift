/// The days, weeks and months over which limits count now, as far as some limit needs them. The cycle's stands in the
/// subscription; the month serves where there is none.
package struct LimitWindows: Equatable, Sendable {
    package struct Span: Equatable, Sendable {
        package var start: Instant
        /// The first moment that does not belong to it.
        package var end: Instant

        package init(start: Instant, end: Instant) {
            self.start = start
            self.end = end
        }

        package func contains(_ instant: Instant) -> Bool { start <= instant && instant < end }
    }

    package var day: Span?
    package var week: Span?
    package var month: Span?

    package init(day: Span? = nil, week: Span? = nil, month: Span? = nil) {
        self.day = day
        self.week = week
        self.month = month
    }
}

/// A tenant's limits, what stands against each, and which of them a step has to do with.
package struct LimitTable: Equatable, Sendable {
    /// One limit and what stands against it.
    package struct Item: Equatable, Sendable {
        package var limit: UsageLimit
        /// What was charged in the window, less refunds.
        package var consumed: Int64
        /// Of a limit on trial: the steps that it would have refused in the window.
        package var wouldHaveRefused: Int64
        /// What open reservations hold. Follows from them: not stored.
        package internal(set) var held: Int64 = 0

        package init(limit: UsageLimit, consumed: Int64 = 0, wouldHaveRefused: Int64 = 0) {
            self.limit = limit
            self.consumed = consumed
            self.wouldHaveRefused = wouldHaveRefused
        }
    }

    /// In the order in which they are asked.
    package private(set) var items: [Item] = []
    package private(set) var windows = LimitWindows()

    private var index = Index()
    /// The kinds of windows that some limit counts over, a bit each.
    private var kinds: UInt8 = 0

    package init() {}

    package init(_ items: [Item], _ windows: LimitWindows) {
        self.items = items.sorted { $0.limit.precedes($1.limit) }
        self.windows = windows
        for (place, item) in self.items.enumerated() {
            index.add(item.limit, at: place)
            kinds |= 1 << item.limit.window.rawValue
        }
    }

    package var isEmpty: Bool { items.isEmpty }

    /// Some limit counts over such a window.
    func has(_ window: LimitWindow) -> Bool { kinds & 1 << window.rawValue != 0 }

    /// Calls `body` with the place of each limit that counts for the feature and the member, in the order in which they are
    /// asked.
    func forEachMatch(feature: String, member: String, _ body: (Int) -> Void) {
        index.forEachMatch(feature: feature, member: member, body)
    }

    /// Notes what an entry charged and held for a feature and a member. What a refund gives back never makes less than
    /// nothing of what was used.
    package mutating func add(consumed: Int64, held: Int64, isRefund: Bool, feature: String, member: String) {
        index.forEachMatch(feature: feature, member: member) { place in
            let sum = items[place].consumed &+ consumed
            items[place].consumed = isRefund ? max(0, sum) : sum
            items[place].held &+= held
        }
    }

    /// A step went on that these limits on trial would have refused.
    package mutating func noteWouldRefuse(_ places: [UInt16]) {
        for place in places where Int(place) < items.count { items[Int(place)].wouldHaveRefused &+= 1 }
    }

    /// The windows that are named began anew.
    mutating func begin(_ new: LimitWindows) {
        for index in items.indices {
            let isNew =
                switch items[index].limit.window {
                case .day: new.day != nil
                case .week: new.week != nil
                case .cycle: new.month != nil
                }
            if isNew { reset(index) }
        }
        windows.day = new.day ?? windows.day
        windows.week = new.week ?? windows.week
        windows.month = new.month ?? windows.month
    }

    /// The subscription's cycle began anew, or there is none any more: no month counts what was before.
    mutating func beginCycle(at instant: Instant) {
        windows.month = LimitWindows.Span(start: instant, end: instant)
        for index in items.indices where items[index].limit.window == .cycle { reset(index) }
    }

    private mutating func reset(_ index: Int) {
        items[index].consumed = 0
        items[index].wouldHaveRefused = 0
    }

    /// Counts what is held anew.
    mutating func recountHeld(_ open: [Reservation]) {
        for index in items.indices { items[index].held = 0 }
        for reservation in open {
            let terms = reservation.terms
            // Wraps around where the numbers come from a damaged file.
            let held = reservation.progress.draws.reduce(0) { $0 &+ $1.held }
            add(
                consumed: 0, held: held, isRefund: false, feature: terms.feature,
                member: terms.actor)
        }
    }
}

extension LimitTable {
    /// The places of limits by what they count for.
    private struct Index: Equatable, Sendable {
        struct MemberFeature: Hashable {
            let member: String
            let feature: String
        }

        var ofTenant: [Int] = []
        var ofFeature: [String: [Int]] = [:]
        var ofMember: [String: [Int]] = [:]
        var ofMemberFeature: [MemberFeature: [Int]] = [:]

        mutating func add(_ limit: UsageLimit, at place: Int) {
            switch limit.scope {
            case .tenant: ofTenant.append(place)
            case .feature: ofFeature[limit.feature, default: []].append(place)
            case .member: ofMember[limit.member, default: []].append(place)
            case .memberFeature:
                ofMemberFeature[MemberFeature(member: limit.member, feature: limit.feature), default: []].append(place)
            }
        }

        @inline(__always)
        func forEachMatch(feature: String, member: String, _ body: (Int) -> Void) {
            for place in ofTenant { body(place) }
            if !ofFeature.isEmpty, let matches = ofFeature[feature] { for place in matches { body(place) } }
            if !ofMember.isEmpty, let matches = ofMember[member] { for place in matches { body(place) } }
            if !ofMemberFeature.isEmpty,
                let matches = ofMemberFeature[MemberFeature(member: member, feature: feature)]
            {
                for place in matches { body(place) }
            }
        }
    }
}

extension UsageLimit {
    /// The order in which limits are asked.
    package func precedes(_ other: UsageLimit) -> Bool {
        (scope, window, feature, member) < (other.scope, other.window, other.feature, other.member)
    }

    /// They count for the same, over the same time.
    package func isSame(as other: UsageLimit) -> Bool {
        scope == other.scope && window == other.window && feature == other.feature && member == other.member
    }
}
