import Ledger
import Protobuf
import Testing
import TollgateSchema

@testable import Tollgate

@Suite("A balance writes itself as the generated message would")
struct BalanceViewTests {
    private let now = Instant(microseconds: 1_767_225_600_000_000)

    private func written(_ state: borrowing LedgerState) throws -> Balance {
        var writer = WireWriter()
        BalanceView(state, at: now, monthStart: now, rules: PlainRules.shared).write(to: &writer)
        let bytes = writer.bytes()
        let balance = try Balance(wireBytes: bytes)
        #expect(balance.wireBytes() == bytes)
        #expect(balance.unknownFields.isEmpty)
        return balance
    }

    @Test("of an empty book")
    func empty() throws {
        let balance = try written(LedgerState())
        #expect(
            balance
                == .with {
                    $0.level = .exhausted
                    $0.statusText = "No credits remaining"
                    $0.aiEnabled = true
                    $0.limitState = .none
                    $0.asOf = Timestamp(now)
                })
    }

    @Test("of grants of every kind, with what is held of them")
    func grants() throws {
        var state = LedgerState()
        let expiry = now.advanced(microseconds: 1_000_000)
        for (number, kind) in Ledger.GrantKind.allCases.enumerated() {
            let command = GrantCommand(
                id: StepID(high: 1, low: UInt64(number)), fingerprint: 1, kind: kind, amountMicros: 1_000,
                expiresAt: kind == .gifted ? expiry : nil)
            let decision = state.decide(.grant(command), at: now)
            for entry in decision.entries { state.evolve(entry) }
        }
        let hold = ReserveCommand(id: StepID(high: 2, low: 1), fingerprint: 2, ask: .amount(400))
        let decision = state.decide(.reserve(hold), at: now)
        for entry in decision.entries { state.evolve(entry) }
        let balance = try written(state)
        #expect(balance.availableMicros == 3_600)
        #expect(balance.heldMicros == 400)
        #expect(balance.byKind.map(\.kind) == [.subscription, .purchased, .gifted, .complimentary])
        #expect(balance.byKind.map(\.availableMicros) == [1_000, 1_000, 600, 1_000])
        #expect(balance.byKind.map(\.heldMicros) == [0, 0, 400, 0])
        #expect(balance.byKind.map(\.nextExpireTime) == [nil, nil, Timestamp(expiry), nil])
        #expect(balance.level == .healthy)
    }
}
