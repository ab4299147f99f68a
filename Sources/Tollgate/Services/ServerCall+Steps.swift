import Engine
import Ledger
import Protobuf
import RPC

/// A call of one metering step listens for what comes of it: its answer is written when the step is decided, where its parts
/// are at hand, and sent when the step is durable. `handlerNote` is the tag of the step's kind.
extension ServerCall: StepListener {
    package var queue: (any CompletionQueue)? { context.loop }

    package func decided(_ outcome: borrowing Result<StepAnswer, Refusal>, replayed: Bool) {
        switch outcome {
        case .failure(let refusal): prepare(RPCError(refusal: refusal))
        case .success(let answer):
            guard let kind = StepKind(tag: handlerNote) else { preconditionFailure("a call that asked for no step") }
            prepare(encoding: { $0.put(answer, replayed: replayed, to: kind) })
        }
    }

    package func settled(_ error: EngineError?) {
        if let error { complete(RPCError(error)) } else { completePrepared() }
    }
}
