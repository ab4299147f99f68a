import Glibc
import HTTP2
import Locks
import Protobuf

/// One call from its headers to its status, whatever wire protocol carries it.
///
/// It admits the call, collects the one request of a unary call or queues those of a streaming one, runs the handler
/// and sees to deadline and cancellation. It ends exactly once; what comes later is dropped. Everything is confined to
/// the loop's thread save what is immutable, what stands under a lock, and `complete`; `principal` is written on the
/// loop before the handler runs and only read afterwards. That is why it is `Sendable`.
///
/// A call that has ended, and that nobody else holds, may begin anew as another: `begin`.
///
/// `@exclusivity(unchecked)`: as in `HTTP2Stream`.
@usableFromInline
package final class ServerCall: TimerTarget, @unchecked Sendable {
    /// What was called, with which headers.
    @exclusivity(unchecked) private(set) var head: RequestHead
    /// The other end's address.
    @exclusivity(unchecked) private(set) var peer: String
    /// When the caller gives up, on the monotonic clock; nil where it did not say.
    @exclusivity(unchecked) private(set) var deadlineNs: Int64?
    /// When the headers had arrived, for deadlines and for who hears of the end; 0 where neither is there.
    @exclusivity(unchecked) private(set) var startNs: Int64 = 0
    /// How long they had surely waited by the time they were read.
    @exclusivity(unchecked) private(set) var waitedNs: Int64 = 0
    /// What the calls of this thread share.
    let home: ServerLoop
    /// Who calls.
    @exclusivity(unchecked) @usableFromInline var principal: (any AnyObject & Sendable)?
    /// What handlers may change from their threads; see `withNotes`.
    @exclusivity(unchecked) private var notes = CallNotes()

    /// The way back; nil once the call has ended.
    @exclusivity(unchecked) var exchange: (any ServerExchange)?
    /// The one request message of a call without streamed requests, while the end of the requests is awaited.
    @exclusivity(unchecked) var message: [UInt8]?
    /// The requests of a call that streams them.
    @exclusivity(unchecked) var requests: RequestQueue?
    /// The responses of a call that streams them.
    @exclusivity(unchecked) var responses: ResponseQueue?
    /// Who follows a streaming call on the loop.
    @exclusivity(unchecked) var streamHandler: (any DirectStreamHandler)?
    /// Wakes at the deadline.
    @exclusivity(unchecked) var timer: TimerToken?
    /// Runs the handler, save a direct one.
    @exclusivity(unchecked) var task: Task<Void, Never>?
    /// What its tenant takes of the loop. The loop keeps it while calls of it are under way.
    @exclusivity(unchecked) unowned(unsafe) var share: CallShare
    /// Whether nobody is known whose call it is.
    var isOfStranger: Bool { share === home.commonShare }
    /// Whatever the handler wants to find again when it answers.
    @exclusivity(unchecked) package var handlerNote: UInt32 = 0
    /// The answer that was prepared, where it does not lie with the exchange.
    @exclusivity(unchecked) var prepared: CallEnd?
    /// Whether it counts among those under way of its share.
    @exclusivity(unchecked) private var isInShare = false
    /// Whether it is a stream that goes on in the next turn.
    @exclusivity(unchecked) var isHeldBack = false
    /// Whether this call counts among those under way: it does as long as anyone holds it.
    @exclusivity(unchecked) private var isCounted = false

    init(home: ServerLoop, head: RequestHead, exchange: any ServerExchange) {
        self.home = home
        self.head = head
        self.exchange = exchange
        share = home.commonShare
        peer = exchange.peer
        noteTime(exchange.waitedNs)
    }

    deinit { leaveCount() }

    /// Begins as another call, of the same loop. The one before has ended, and nobody else holds it.
    func begin(_ head: RequestHead, exchange: any ServerExchange) {
        if head !== self.head { self.head = head }
        self.exchange = exchange
        share = home.commonShare
        principal = nil
        peer = exchange.peer
        noteTime(exchange.waitedNs)
        notes = CallNotes()
        handlerNote = 0
        if prepared != nil { prepared = nil }
    }

    /// Nobody holds it any more but who would have it begin anew.
    func leaveCount() {
        guard isCounted else { return }
        isCounted = false
        home.core.leave()
    }

    private func noteTime(_ waited: Int64) {
        waitedNs = waited
        let isTimed = head.timeoutNs != nil || home.core.observesEnds
        let now = isTimed ? monotonicNs() - waited : 0
        startNs = now
        deadlineNs = head.timeoutNs.map { now.addingReportingOverflow($0) }
            .map { $0.overflow ? .max : $0.partialValue }
    }

    /// Runs the body alone with the notes. The lock is the loop's: each call would pay for making one of its own. So what
    /// the body lets go of must not ask for it again: handlers are handed out, to be run and dropped outside.
    func withNotes<Result>(_ body: (inout CallNotes) -> Result) -> Result {
        home.notesLock.locked { body(&notes) }
    }

    /// Whether nobody waits for the answer any more: the caller cancelled, or its deadline has passed. From any thread.
    package var hasGone: Bool {
        withNotes { $0.extras?.isCancelled ?? false } || deadlineNs.map { $0 <= monotonicNs() } ?? false
    }

    /// What handlers and interceptors see of the call.
    @usableFromInline package var context: ServerContext { ServerContext(call: self) }

    /// The request's metadata. Broken `-bin` values were refused when the headers arrived.
    var metadata: Metadata {
        var metadata = Metadata()
        for (name, value) in head.headers.pairs { _ = metadata.addReceived(name: name, value: value) }
        return metadata
    }

    /// A response in one buffer with its prefix; too large a one is an error of the server.
    @usableFromInline
    func frame<Response: Message>(_ response: Response) throws(RPCError) -> [UInt8] {
        let message = MessageFraming.frame(response)
        try check(responseBytes: message.count - MessageDeframer.prefixBytes)
        return message
    }

    func check(responseBytes byteCount: Int) throws(RPCError) {
        let limit = home.core.configuration.maxResponseBytes
        guard byteCount <= limit else {
            throw RPCError(
                code: .resourceExhausted, message: "response of \(byteCount) bytes is over the limit of \(limit)")
        }
    }

    // MARK: What the wire protocol says; on the loop

    /// Begins the call, or ends it at once.
    func start() {
        let head = head
        isCounted = home.core.enter()
        guard isCounted || head.method.isVital else { return fail(home.refuse(.tooManyCalls)) }
        if let deadlineNs, deadlineNs <= startNs + waitedNs { return expire() }
        do throws(RPCError) {
            try admit(head)
        } catch {
            return fail(error)
        }
        guard enterShare(isVital: head.method.isVital) else { return }
        if let deadlineNs, deadlineNs < .max {
            timer = home.loop.schedule(at: deadlineNs, self)
        }
        if head.method.descriptor.shape != .unary { exchange?.goesOnForLong() }
        guard head.method.startsEarly else { return }
        switch head.method.handler {
        case .streaming(let handler): startStreaming(handler)
        case .directStreaming(let make): startDirectStream(make)
        case .direct, .unary, .serverStreaming: break
        }
    }

    /// Takes a place among the calls of its tenant; where it is to have none it ends.
    private func enterShare(isVital: Bool) -> Bool {
        let share = share
        if !isVital {
            if share.hasSpentCancels(nowNs: home.loop.nowNs) {
                home.core.refusals.count(.cancels)
                fail(ServerCall.tooManyCancels)
                return false
            }
            if let why = home.whyNotTake(share, waitedNs: waitedNs) {
                fail(home.refuse(why))
                return false
            }
        }
        isInShare = true
        share.underWay += 1
        home.underWay += 1
        home.noteTaken()
        return true
    }

    /// Gives that place back, once.
    func leaveShare(code: RPCStatusCode) {
        guard isInShare else { return }
        isInShare = false
        if code != .cancelled { share.callEnded() }
        share.underWay -= 1
        home.underWay -= 1
    }

    /// Asks the interceptors, unless they let in the same headers in the same epoch.
    private func admit(_ head: RequestHead) throws(RPCError) {
        let epoch = home.core.admissionEpoch
        if let epoch, head.admittedIn == epoch, let share = head.share {
            principal = head.principal
            self.share = share
            return
        }
        for interceptor in home.core.interceptors { try interceptor.admit(context) }
        guard let epoch else { return }
        let isNew = head.admittedIn == nil
        head.admitted(principal, in: epoch, share)
        if isNew { home.heads.keep(head) }
    }

    /// The one message of a call without streamed requests, and their end. The bytes are borrowed: a direct handler
    /// reads them in place.
    func receiveOnly(_ bytes: UnsafeRawBufferPointer) {
        guard exchange != nil else { return }
        // Nobody works for a caller that has given up. The time of the loop's turn tells, but of a deadline that is close.
        if let deadlineNs, deadlineNs - Limits.closeDeadlineNs <= home.loop.nowNs, deadlineNs <= monotonicNs() {
            return expire()
        }
        switch head.method.handler {
        case .direct(let handler):
            if home.mayRun(self, bytes) { handler(bytes, self) }
        case .unary(let handler):
            let message = Array(bytes)
            run { call in try await handler(message, call) }
        case .serverStreaming(let handler):
            let message = Array(bytes)
            let responses = makeResponses()
            run { call in
                try await handler(message, call, responses)
                return nil
            }
        case .streaming, .directStreaming:
            receive(Array(bytes))
            receiveEnd()
        }
    }

    /// One message of possibly many.
    func receive(_ message: [UInt8]) {
        guard exchange != nil else { return }
        if let streamHandler {
            message.withUnsafeBytes { streamHandler.received($0) }
        } else if let requests {
            requests.push(message)
        } else if self.message == nil {
            self.message = message
        } else {
            fail(.unimplemented, "\(head.method.descriptor.path) takes one request message, and more than one came")
        }
    }

    /// No message follows.
    func receiveEnd() {
        guard exchange != nil else { return }
        if let streamHandler {
            streamHandler.requestsEnded(nil)
        } else if let requests {
            requests.end(.success(nil))
        } else if let message {
            self.message = nil
            message.withUnsafeBytes { receiveOnly($0) }
        } else {
            fail(.unimplemented, "\(head.method.descriptor.path) takes one request message, and none came")
        }
    }

    /// Whether the handler has taken all that arrived, so that more may come.
    var wantsMore: Bool { streamHandler?.wantsMore ?? requests?.isIdle ?? true }

    /// The stream below takes more again.
    func becameWritable() {
        streamHandler?.becameWritable()
        responses?.setBlocked(false)
    }

    /// The caller cancelled, or its connection is lost: nothing can be sent any more.
    func abandon() {
        guard exchange != nil else { return }
        close(code: .cancelled, cancelling: RPCError(code: .cancelled, message: "the caller cancelled"))
    }

    /// The server drains: streams that could go on for ever are told.
    func drain() {
        if streamHandler != nil { exchange?.endRequests(ServerCall.draining) }
        requests?.end(.failure(ServerCall.draining))
        let handlers = withNotes { notes in
            let extras = notes.madeExtras
            extras.isDraining = true
            defer { extras.drainHandlers = [] }
            return extras.drainHandlers
        }
        for handler in handlers { handler() }
    }
}
