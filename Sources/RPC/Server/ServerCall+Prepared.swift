import HTTP2
import Protobuf

/// Answers that are made before they may be sent: the parts of a step's answer are at hand when the step is decided, and it
/// leaves when the step is durable.
extension ServerCall {
    /// Makes the answer of a unary call of what `encode` writes, once. On any thread.
    package func prepare(encoding encode: (inout WireWriter) -> Void) {
        guard home.loop.inLoop else {
            var writer = WireWriter(reservedPrefix: MessageDeframer.prefixBytes)
            encode(&writer)
            do throws(RPCError) {
                try check(responseBytes: MessageFraming.finish(&writer))
                prepared = CallEnd(message: writer.bytes())
            } catch {
                prepared = CallEnd(error: error)
            }
            return
        }
        guard let exchange else { return }
        home.withEncoded(encode) { writer in
            do throws(RPCError) {
                try check(responseBytes: MessageFraming.finish(&writer))
                writer.withUnsafeBytes { exchange.keep(message: $0) }
            } catch {
                prepared = CallEnd(error: error)
            }
        }
    }

    /// The same with an error.
    package func prepare(_ error: RPCError) { prepared = CallEnd(error: error) }

    /// Sends what was prepared. On the loop's thread.
    package func completePrepared() {
        if let prepared {
            self.prepared = nil
            return finish(prepared)
        }
        guard let exchange else { return }
        guard endPlainly() else {
            // What handlers said of metadata stands before and behind the message.
            return finish(CallEnd(message: exchange.takeKept()))
        }
        close(code: .ok, cancelling: nil)
        exchange.finishKept()
    }
}
