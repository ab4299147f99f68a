import HTTP2
import Protobuf
import RPC
import TollgateSchema

/// Writes the answers of a batch as they come and gives them together when the last is there.
///
/// `Sendable` since everything mutable belongs to the thread of the call's loop, where nearly all answers come.
final class BatchAnswers: @unchecked Sendable {
    private let count: Int
    private let call: DirectCall<BatchResponse>
    private let loop: EventLoop
    /// The `BatchResponse` up to the first answer that is missing.
    private var written = WireWriter()
    /// Whose answer is missing first.
    private var next = 0
    /// Those that came before their turn, written, by their place: no more than the batch has steps.
    private var early: [Int: [UInt8]] = [:]

    init(count: Int, call: DirectCall<BatchResponse>) {
        self.count = count
        self.call = call
        loop = call.context.loop
    }

    /// `write` writes the fields of the `StepResult` of one step. Each place is filled once, from any thread.
    func set(_ index: Int, _ write: (inout WireWriter) -> Void) {
        if loop.inLoop, index == next {
            written.write(nested: 10, write)
            next += 1
            goOn()
            return
        }
        var writer = WireWriter()
        writer.write(nested: 10, write)
        let bytes = writer.bytes()
        if loop.inLoop { keep(bytes, index) } else { loop.execute { [self] in keep(bytes, index) } }
    }

    private func keep(_ bytes: [UInt8], _ index: Int) {
        early[index] = bytes
        if index == next { goOn() }
    }

    /// Writes those whose turn has come; after the last the call is answered.
    private func goOn() {
        while !early.isEmpty, let bytes = early.removeValue(forKey: next) {
            bytes.withUnsafeBytes { written.putRaw($0) }
            next += 1
        }
        guard next == count else { return }
        call.respond(encoding: { response in self.written.withUnsafeBytes { response.putRaw($0) } })
    }
}
