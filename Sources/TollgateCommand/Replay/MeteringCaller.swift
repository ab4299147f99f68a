import Ledger
import Protobuf
import RPC
import TollgateClient

/// Sends the steps of a replay to a server.
final class MeteringCaller: ReplayCaller {
    /// What the steps of a trace are called on the rate card.
    struct Names: Sendable {
        var feature = "chat"
        var contextUnit = "context_tokens"
        var generatedUnit = "generated_tokens"
        /// The most tokens that a call may generate: what is reserved for.
        var maxGenerated: Int64 = 2_000
    }

    private let channel: ClientChannel
    private let names: Names
    /// Without a deadline: the replay itself notices a silent server, and a timer for each call would cost more than the call.
    private let options = CallOptions(timeout: nil)

    init(_ channel: ClientChannel, names: Names) {
        self.channel = channel
        self.names = names
    }

    func start(
        _ step: ReplayStep, id: StepID, row: TraceRow,
        completion: @escaping @Sendable (Result<ReplayAnswer, RPCError>) -> Void
    ) {
        switch step {
        case .reserve:
            let request = ReserveRequest.with {
                $0.reservationID = id.description
                $0.feature = names.feature
                $0.quantities = quantities(row, generated: names.maxGenerated)
            }
            channel.startUnary(MeteringMethods.reserve, request, options: options) { reply in
                completion(Self.answer(reply, ReserveResponse.self) { ($0.replayed, 0) })
            }
        case .commit:
            let request = CommitRequest.with {
                $0.reservationID = id.description
                $0.quantities = quantities(row, generated: row.generatedTokens)
            }
            channel.startUnary(MeteringMethods.commit, request, options: options) { reply in
                completion(Self.answer(reply, CommitResponse.self) { ($0.replayed, $0.chargedMicros) })
            }
        }
    }

    private func quantities(_ row: TraceRow, generated: Int64) -> [String: Int64] {
        [names.contextUnit: row.contextTokens, names.generatedUnit: generated]
    }

    private static func answer<Response: Message>(
        _ reply: Result<UnaryReply, RPCError>, _ type: Response.Type, _ read: (Response) -> (Bool, Int64)
    ) -> Result<ReplayAnswer, RPCError> {
        reply.flatMap { reply in
            do throws(WireError) {
                let (replayed, chargedMicros) = read(try Response(wireBytes: reply.message))
                return .success(ReplayAnswer(replayed: replayed, chargedMicros: chargedMicros))
            } catch {
                return .failure(RPCError(code: .internal, message: "the answer cannot be read: \(error)"))
            }
        }
    }
}
