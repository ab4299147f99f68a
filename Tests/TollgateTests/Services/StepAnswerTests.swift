import Ledger
import Protobuf
import SeededRandom
import Testing
import TollgateSchema

@testable import Tollgate

@Suite("An answer that is written by hand is what the generated message writes")
struct StepAnswerTests {
    @Test(
        "of every kind of step, with and without each field",
        arguments: [StepKind.reserve, .commit, .release, .refund, .extend, .charge])
    func answers(kind: StepKind) {
        var random = SeededRandom.printed()
        for _ in 0..<500 {
            let answer = Self.answer(&random)
            let replayed = Bool.random(using: &random)
            var writer = WireWriter()
            writer.put(answer, replayed: replayed, to: kind)
            #expect(writer.bytes() == Self.generated(answer, replayed: replayed, kind), "\(answer)")
        }
    }

    /// The same answer by the generated messages.
    private static func generated(_ answer: StepAnswer, replayed: Bool, _ kind: StepKind) -> [UInt8] {
        let reservation = answer.reservation.map { reservation in
            var message = TollgateSchema.Reservation(reservation)
            (message.quantities, message.labels, message.comment) = ([:], [:], "")
            return message
        }
        let balance = StepBalance(answer.balance)
        let amount = answer.amount
        switch kind {
        case .reserve:
            return ReserveResponse.with {
                ($0.reservation, $0.balance, $0.replayed, $0.reservedMicros) = (reservation, balance, replayed, amount)
            }.wireBytes()
        case .commit:
            return CommitResponse.with {
                ($0.reservation, $0.balance, $0.replayed, $0.chargedMicros) = (reservation, balance, replayed, amount)
                $0.late = reservation?.late ?? false
            }.wireBytes()
        case .release:
            return ReleaseResponse.with {
                ($0.reservation, $0.balance, $0.replayed, $0.releasedMicros) = (reservation, balance, replayed, amount)
            }.wireBytes()
        case .refund:
            return RefundResponse.with {
                ($0.reservation, $0.balance, $0.replayed, $0.refundedMicros) = (reservation, balance, replayed, amount)
            }.wireBytes()
        case .extend:
            return ExtendResponse.with {
                ($0.reservation, $0.balance, $0.replayed) = (reservation, balance, replayed)
            }.wireBytes()
        case .charge:
            return ChargeResponse.with {
                ($0.reservation, $0.balance, $0.replayed, $0.chargedMicros) = (reservation, balance, replayed, amount)
            }.wireBytes()
        }
    }

    private static func answer(_ random: inout SeededRandom) -> StepAnswer {
        StepAnswer(
            kind: .reserve, at: instant(&random), amount: amount(&random),
            balance: BalanceAfter(available: amount(&random), held: amount(&random)),
            reservation: Int.random(in: 0..<10, using: &random) == 0 ? nil : reservation(&random))
    }

    private static func reservation(_ random: inout SeededRandom) -> Ledger.Reservation {
        let draws = (0..<Int.random(in: 0...3, using: &random)).map {
            Draw(grant: UInt32($0), held: amount(&random) / 8, consumed: amount(&random) / 8)
        }
        return Ledger.Reservation(
            id: StepID(high: random.next(), low: random.next()), createdAt: instant(&random),
            terms: ReservationTerms(
                feature: ["", "chat"].randomElement(using: &random)!,
                actor: ["", "someone with a long name, ü"].randomElement(using: &random)!, comment: "left out",
                labels: [Label(key: "left", value: "out")], quantities: [Quantity(unit: "left_out", count: 1)],
                quality: Ledger.Quality.allCases.randomElement(using: &random)!,
                priceVersion: [0, 1, .max].randomElement(using: &random)!),
            progress: ReservationProgress(
                state: [.open, .committed, .released, .expired].randomElement(using: &random)!,
                late: Bool.random(using: &random), expiresAt: instant(&random),
                closedAt: Bool.random(using: &random) ? nil : instant(&random), refunded: amount(&random) / 8,
                draws: Few(draws)))
    }

    private static func amount(_ random: inout SeededRandom) -> Int64 {
        [0, 1, 127, 128, 1_000_000, .max / 16].randomElement(using: &random)!
    }

    private static func instant(_ random: inout SeededRandom) -> Instant {
        Instant(microseconds: [0, 1, -1, -1_000_000, 1_700_000_000_123_456].randomElement(using: &random)!)
    }
}
