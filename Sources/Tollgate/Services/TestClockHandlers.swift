import Engine
import Ledger
import Protobuf
import RPC
import TollgateSchema

/// `tollgate.v1.TestClock`, served only where time stands still but for it.
struct TestClockHandlers: TestClockService {
    let clock: ManualClock
    let engine: Engine

    /// The last moment that a timestamp of protobuf names.
    private static let lastInstant = Instant(microseconds: 253_402_300_799_999_999)

    func getTime(_ request: GetTimeRequest, context: ServerContext) async throws -> GetTimeResponse {
        .with { $0.time = Timestamp(clock.now()) }
    }

    func advanceTime(_ request: AdvanceTimeRequest, context: ServerContext) async throws -> AdvanceTimeResponse {
        let now = clock.now()
        let target = try checked { () throws(InvalidField) in try moment(request.target, from: now) }
        let reached = clock.advance(to: target)
        engine.tick()
        return .with { $0.time = Timestamp(reached) }
    }

    private func moment(_ wanted: AdvanceTimeRequest.Target?, from now: Instant) throws(InvalidField) -> Instant {
        let target: Instant
        switch wanted {
        case .duration(let duration):
            let interval = try FieldCheck.microseconds(
                seconds: duration.seconds, nanos: duration.nanos, "duration")
            guard interval > 0 else { throw InvalidField("duration", "must be more than 0") }
            target = now.advanced(microseconds: interval)
        case .to(let time):
            target = try FieldCheck.instant(seconds: time.seconds, nanos: time.nanos, "to")
            guard target >= now else { throw InvalidField("to", "must not be earlier than the server's time") }
        case nil:
            throw InvalidField("target", "must be duration or to")
        }
        guard target <= Self.lastInstant else { throw InvalidField("target", "is beyond the year 9999") }
        return target
    }
}
