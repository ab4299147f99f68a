import HTTP2
import Protobuf

/// Follows a hot streaming call, whose messages make no way through tasks. Everything is called on the loop's thread and must not
/// block; it is kept by the call until the call has ended.
package protocol DirectStreamHandler: AnyObject {
    /// Whether another request may be given now. Where not, they are kept back from the client too, until
    /// `DirectStream.requestMore`.
    var wantsMore: Bool { get }
    /// One request, valid only within the call.
    func received(_ request: UnsafeRawBufferPointer)
    /// No further request comes: the client has sent all, or, with an error, the server drains.
    func requestsEnded(_ error: RPCError?)
    /// The client takes more answers again.
    func becameWritable()
}

/// What the handler of a hot streaming call answers through. What is sent after the call's end is dropped.
package struct DirectStream: Sendable {
    private let call: ServerCall

    init(_ call: ServerCall) { self.call = call }

    /// What is known of the call.
    package var context: ServerContext { call.context }

    // MARK: On the loop

    /// Whether the client takes more answers; where not, `becameWritable` follows.
    package var isWritable: Bool { call.exchange?.isWritable ?? false }

    /// Sends what `encode` writes, a response message. It runs at once.
    package func send(encoding encode: (inout WireWriter) -> Void) { call.send(encoding: encode) }

    /// Whether the call goes on.
    package var isOpen: Bool { call.exchange != nil }

    /// Whether a further request may be given now: others have their turns too, and what all streams have read and not answered
    /// is bounded. What is kept back for the sake of others' turns is given in the next one.
    /// - Parameter count: Of those read on this stream and not answered.
    package func mayTake(having count: Int) -> Bool { call.home.mayStream(call, having: count) }

    /// Says that a request was taken, and that so many were answered.
    package func took(byteCount: Int) { call.home.tookStep(of: call.share, byteCount: byteCount) }

    package func gave(_ count: Int) { call.home.gaveSteps(count, of: call.share) }

    /// Has the requests given that were kept back.
    package func requestMore() { call.exchange?.giveRequests() }

    /// Ends the call.
    package func finish(_ error: RPCError?) { call.finish(CallEnd(error: error)) }
}

extension ServerCall {
    /// Begins a call whose handler follows it on the loop.
    func startDirectStream(_ make: (DirectStream) throws(RPCError) -> any DirectStreamHandler) {
        do throws(RPCError) {
            streamHandler = try make(DirectStream(self))
            home.add(self)
        } catch {
            fail(error)
        }
    }

    /// Sends one message of many.
    func send(encoding encode: (inout WireWriter) -> Void) {
        guard exchange != nil else { return }
        home.withEncoded(encode) { writer in
            do throws(RPCError) {
                try check(responseBytes: MessageFraming.finish(&writer))
            } catch {
                return fail(error)
            }
            let initialMetadata = withNotes { $0.extras?.initialMetadata } ?? Metadata()
            writer.withUnsafeBytes { exchange?.send($0, initialMetadata: initialMetadata) }
        }
    }
}
