import Ledger
import Testing
import TollgateSchema

@testable import Tollgate

@Suite("Limits are checked before any of them holds")
struct LimitFieldsTests {
    private static func wire(_ change: (inout TollgateSchema.UsageLimit) -> Void) -> TollgateSchema.UsageLimit {
        var limit = TollgateSchema.UsageLimit()
        limit.scope = .tenant
        limit.hardMicros = 10
        change(&limit)
        return limit
    }

    @Test("what is right is read and shown as it was given")
    func right() throws {
        let limits = [
            Self.wire { _ in },
            Self.wire {
                $0.window = .day
                $0.softMicros = 10
                $0.enforce = false
            },
            Self.wire {
                $0.scope = .feature
                $0.subject = String(repeating: "f", count: 128)
                $0.hardMicros = 0
                $0.softPercent = 70
                $0.hardPercent = 90
            },
            Self.wire {
                $0.scope = .member
                $0.subject = String(repeating: "m", count: 256)
                $0.softPercent = 1_000
                $0.window = .week
            },
            Self.wire {
                $0.scope = .memberFeature
                $0.subject = "ann"
                $0.feature = "chat"
            },
        ]
        let read = try LimitFields.limits(limits)
        #expect(read.map(\.scope) == [.tenant, .tenant, .feature, .member, .memberFeature])
        #expect(read.map(\.window) == [.cycle, .day, .cycle, .week, .cycle])
        #expect(read.map(\.isEnforced) == [true, false, true, true, true])
        #expect(read[2].hard == .percent(90))
        #expect((read[4].member, read[4].feature) == ("ann", "chat"))
        let shown = read.map { TollgateSchema.UsageLimit($0) }
        for (given, shown) in zip(limits, shown) {
            var given = given
            given.enforce = given.enforce ?? true
            if given.window == .unspecified { given.window = .cycle }
            #expect(shown == given)
        }
    }

    static let faults: [(field: String, limit: TollgateSchema.UsageLimit)] = [
        ("limits[0].scope", wire { $0.scope = .unspecified }),
        ("limits[0].scope", wire { $0.scope = LimitScope(rawValue: 77) }),
        ("limits[0].window", wire { $0.window = LimitWindow(rawValue: 77) }),
        ("limits[0].subject", wire { $0.subject = "ann" }),
        ("limits[0].subject", wire { $0.scope = .member }),
        ("limits[0].subject", wire { $0.scope = .feature }),
        ("limits[0].subject", wire { ($0.scope, $0.feature) = (.memberFeature, "chat") }),
        ("limits[0].feature", wire { ($0.scope, $0.subject) = (.memberFeature, "ann") }),
        ("limits[0].feature", wire { ($0.scope, $0.subject, $0.feature) = (.member, "ann", "chat") }),
        ("limits[0].feature", wire { $0.feature = "chat" }),
        ("limits[0].subject", wire { ($0.scope, $0.subject) = (.feature, String(repeating: "f", count: 129)) }),
        ("limits[0].subject", wire { ($0.scope, $0.subject) = (.member, String(repeating: "m", count: 257)) }),
        ("limits[0].subject", wire { ($0.scope, $0.subject) = (.member, "a\nb") }),
        ("limits[0].soft_micros", wire { $0.softMicros = -1 }),
        ("limits[0].hard_micros", wire { $0.hardMicros = -1 }),
        ("limits[0].hard_micros", wire { $0.softMicros = 11 }),
        ("limits[0].hard_percent", wire { $0.hardPercent = 50 }),
        ("limits[0].soft_percent", wire { $0.softPercent = 1_001 }),
        ("limits[0].soft_percent", wire { $0.softPercent = -1 }),
        ("limits[0].hard_percent", wire { ($0.hardMicros, $0.softPercent, $0.hardPercent) = (0, 60, 50) }),
    ]

    @Test("what is wrong is named", arguments: faults.indices)
    func wrong(index: Int) {
        let (field, limit) = Self.faults[index]
        #expect(fault([limit]) == field)
    }

    @Test("there is one limit for each scope, subject, feature and window, and a bound on all of them")
    func many() {
        let limit = Self.wire { _ in }
        #expect(fault([limit, Self.wire { $0.hardMicros = 5 }]) == "limits[1]")
        #expect(fault([limit, Self.wire { $0.window = .day }]) == nil)
        let members = (0..<1_001).map { number in
            Self.wire { ($0.scope, $0.subject) = (.member, "\(number)") }
        }
        #expect(fault(Array(members.prefix(1_000))) == nil)
        #expect(fault(members) == "limits")
    }

    private func fault(_ limits: [TollgateSchema.UsageLimit]) -> String? {
        do throws(InvalidField) {
            _ = try LimitFields.limits(limits)
            return nil
        } catch {
            return error.field
        }
    }
}
