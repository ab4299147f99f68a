import Ledger
import Protobuf
import RPC
import Storage
import Testing
import TollgateSchema

@testable import Tollgate

/// Of many steps in one call each has its own answer, also where none of them could be made durable.
@Suite(.timeLimit(.minutes(1))) struct ManyAnswersTests {
    private static func step(_ number: Int) -> Step {
        var request = ReserveRequest()
        request.reservationID = "01900000-0000-7000-8000-00000000000\(number)"
        request.amountMicros = 10
        var step = Step()
        step.kind = .reserve(request)
        return step
    }

    /// One that is done, one whose id is none, one that names no step, one that is done, one that there are no credits for.
    private static let steps: [Step] = {
        var nameless = step(2)
        if case .reserve(var request)? = nameless.kind {
            request.reservationID = "second"
            nameless.kind = .reserve(request)
        }
        var costly = step(4)
        if case .reserve(var request)? = costly.kind {
            request.amountMicros = 1_000
            costly.kind = .reserve(request)
        }
        return [step(1), nameless, Step(), step(3), costly]
    }()
    private static let codes: [RPCStatusCode] = [
        .ok, .invalidArgument, .invalidArgument, .ok, .resourceExhausted,
    ]
    /// What the ledger did not see is refused as ever.
    private static let codesOfFailure: [RPCStatusCode] = [
        .unavailable, .invalidArgument, .invalidArgument, .unavailable, .unavailable,
    ]

    private static func code(_ result: StepResult) -> RPCStatusCode? {
        switch result.kind {
        case .reserve: .ok
        case .error(let status): RPCStatusCode(rawValue: Int(status.code))
        default: nil
        }
    }

    private static func batch(_ metering: MeteringClient) async throws -> [RPCStatusCode?] {
        var request = BatchRequest()
        request.steps = steps
        return try await metering.batch(request).results.map(code)
    }

    private static func meter(_ metering: MeteringClient) async throws -> [RPCStatusCode?] {
        let call = metering.meter()
        for (index, step) in steps.enumerated() {
            var request = MeterRequest()
            (request.tag, request.step) = (UInt64(index) + 100, step)
            try await call.send(request)
        }
        call.finishSending()
        var codes: [RPCStatusCode?] = []
        for try await response in call.responses {
            #expect(response.tag == UInt64(codes.count) + 100)
            codes.append(response.result.flatMap(code))
        }
        return codes
    }

    private static let ways: [@Sendable (MeteringClient) async throws -> [RPCStatusCode?]] = [
        { try await batch($0) }, { try await meter($0) },
    ]

    @Test(arguments: [0, 1]) func eachStepIsToldThatTheDiskDidNotTakeIt(way: Int) async throws {
        let run = Self.ways[way]
        try await ServerPlace.withHeldJournal { channel, journal in
            journal.hold()
            async let failed = run(MeteringClient(channel))
            while !journal.isAsked { try await Task.sleep(for: .milliseconds(1)) }
            journal.fail()
            #expect(try await failed == Self.codesOfFailure)

            // Nothing of them was done: the same ids are new once the journal takes writes again.
            var codes = try await run(MeteringClient(channel))
            while codes == Self.codesOfFailure { codes = try await run(MeteringClient(channel)) }
            #expect(codes == Self.codes)
            let balance = try await CreditsClient(channel).getBalance(GetBalanceRequest())
            #expect(balance.balance?.availableMicros == 80 && balance.balance?.heldMicros == 20)
        }
    }
}
