import HTTP2
import Locks
import Protobuf
import Synchronization

/// What all calls of a server share.
final class ServerCore: Sendable {
    let configuration: RPCServerConfiguration
    let methods: MethodTable
    let interceptors: [any ServerInterceptor]
    private let onlyInterceptor: (any ServerInterceptor)?
    /// Those of them that hear of each call's end.
    let endObservers: [any ServerInterceptor]
    let observesEnds: Bool
    /// The server's health, which `GET /healthz` tells.
    let health: HealthStatus
    /// What its connections count.
    let http2Metrics: HTTP2Metrics
    /// What else is told at `GET /metrics`.
    let metrics: [MetricsSource]
    /// How many calls are under way, on all loops.
    private let activeCalls = Atomic<Int>(0)
    /// What was refused since the start.
    let refusals = RefusalCounts()
    /// The answers to those who are refused.
    let overloadAnswers: OverloadAnswers

    init(
        configuration: RPCServerConfiguration, methods: MethodTable, interceptors: [any ServerInterceptor],
        health: HealthStatus, http2Metrics: HTTP2Metrics = HTTP2Metrics(), metrics: [MetricsSource] = []
    ) {
        self.configuration = configuration
        self.methods = methods
        self.interceptors = interceptors
        onlyInterceptor = interceptors.count == 1 ? interceptors[0] : nil
        endObservers = interceptors.filter(\.observesEnds)
        observesEnds = !endObservers.isEmpty
        self.health = health
        self.http2Metrics = http2Metrics
        self.metrics = metrics
        overloadAnswers = .with(configuration.overloadDetails)
    }

    /// Grows when who is let in may have changed; nil where each call must be asked for.
    var admissionEpoch: UInt64? {
        // There is one, as a rule.
        if let onlyInterceptor { return onlyInterceptor.admissionEpoch }
        var epoch: UInt64 = 0
        for interceptor in interceptors {
            guard let part = interceptor.admissionEpoch else { return nil }
            epoch &+= part
        }
        return epoch
    }

    /// Counts one more call; false where that would be too many.
    func enter() -> Bool {
        let count = activeCalls.wrappingAdd(1, ordering: .relaxed).newValue
        guard count > configuration.maxConcurrentCalls else { return true }
        leave()
        return false
    }

    /// Counts one call less.
    func leave() { activeCalls.wrappingSubtract(1, ordering: .relaxed) }

    /// The counters as they stand.
    var counts: (active: Int, refused: Int) {
        (activeCalls.load(ordering: .relaxed), refusals.all)
    }
}

/// What the calls of one loop share: the loop, and those of them whose handlers run in tasks, so that a drain finds
/// them. Confined to the loop's thread, save its constants; that is why it is `Sendable`. `@exclusivity(unchecked)`: as in
/// `HTTP2Stream`.
final class ServerLoop: @unchecked Sendable {
    let core: ServerCore
    let loop: EventLoop
    /// Guards what handlers set from their threads, for all calls of the loop; held for a few assignments.
    let notesLock = Lock()
    /// The heads of the latest calls.
    @exclusivity(unchecked) var heads = HeadTable()
    /// Exchanges that ended, for the next ones.
    @exclusivity(unchecked) var sparedExchanges: [GRPCExchange] = []
    /// False from `forgetWaiting` on.
    @exclusivity(unchecked) var keepsExchanges = true
    /// Bytes of requests that its exchanges keep; see `GRPCExchange.checkGathered`.
    @exclusivity(unchecked) var gatheredBytes = 0
    /// What `GET /metrics` told last, and when.
    var metricsPage: (text: [UInt8], madeNs: Int64)?
    private var calls: [ObjectIdentifier: ServerCall] = [:]
    /// Where responses are encoded; nil while that is going on.
    @exclusivity(unchecked) private var writer: WireWriter?
    private var isDraining = false

    // Overload; see `ServerLoop+Overload`.
    /// What each tenant takes of the loop, and the share of calls of which no tenant and no key is known.
    @exclusivity(unchecked) var shares = ShareTable()
    let commonShare = CallShare()
    /// Calls that were taken and have not ended.
    @exclusivity(unchecked) var underWay = 0
    @exclusivity(unchecked) var streamedSteps = 0
    /// Those that wait for their turn, and whether the next turn serves them.
    @exclusivity(unchecked) var line: CallLine
    @exclusivity(unchecked) var isServing = false
    /// Streams that go on in the next turn.
    @exclusivity(unchecked) var heldBack: [ServerCall] = []
    /// Refusals, and whether the end of their span is awaited.
    @exclusivity(unchecked) var window: OverloadWindow
    @exclusivity(unchecked) var isWindowOpen = false
    @exclusivity(unchecked) var refusalTurn = 0

    init(core: ServerCore, loop: EventLoop) {
        self.core = core
        self.loop = loop
        let overload = core.configuration.overload
        line = CallLine(overload)
        window = OverloadWindow(overload, mostStreams: core.configuration.http2.concurrentStreamsMax)
    }

    /// Encodes a message behind room for its prefix, in memory that is used again, and shows it to `body`.
    func withEncoded(_ encode: (inout WireWriter) -> Void, _ body: (inout WireWriter) -> Void) {
        // What runs within may come here again: it finds no writer and makes its own.
        var writer = self.writer.take() ?? WireWriter(reservedPrefix: MessageDeframer.prefixBytes)
        writer.removeAll(keepingPrefix: MessageDeframer.prefixBytes)
        encode(&writer)
        body(&writer)
        if writer.capacityByteCount <= Limits.keptWriterBytes { self.writer = consume writer }
    }

    /// Keeps a call whose task begins; one that came in while the server drains is told at once.
    func add(_ call: ServerCall) {
        calls[ObjectIdentifier(call)] = call
        if isDraining { call.drain() }
    }

    /// Forgets a call that ended.
    func remove(_ call: ServerCall) { calls[ObjectIdentifier(call)] = nil }

    /// Tells every call that the server drains.
    func drain() {
        isDraining = true
        for call in Array(calls.values) { call.drain() }
    }
}
