import HTTP2
import Locks
import Protobuf
import Synchronization

/// What all calls of a server share.
final class ServerCore: Sendable {
    let configuration: RPCServerConfiguration
    let methods: MethodTable
    let interceptors: [any ServerInterceptor]
    /// Those of them that hear of each call's end.
    let endObservers: [any ServerInterceptor]
    /// The server's health, which `GET /healthz` tells.
    let health: HealthStatus
    /// What its connections count.
    let http2Metrics: HTTP2Metrics
    /// What else is told at `GET /metrics`.
    let metrics: [MetricsSource]
    /// How many calls are under way, on all loops.
    private let activeCalls = Atomic<Int>(0)
    /// How many calls were refused because too many were under way.
    private let refusedCalls = Atomic<Int>(0)

    init(
        configuration: RPCServerConfiguration, methods: MethodTable, interceptors: [any ServerInterceptor],
        health: HealthStatus, http2Metrics: HTTP2Metrics = HTTP2Metrics(), metrics: [MetricsSource] = []
    ) {
        self.configuration = configuration
        self.methods = methods
        self.interceptors = interceptors
        endObservers = interceptors.filter(\.observesEnds)
        self.health = health
        self.http2Metrics = http2Metrics
        self.metrics = metrics
    }

    /// Grows when who is let in may have changed; nil where each call must be asked for.
    var admissionEpoch: UInt64? {
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
        refusedCalls.wrappingAdd(1, ordering: .relaxed)
        return false
    }

    /// Counts one call less.
    func leave() { activeCalls.wrappingSubtract(1, ordering: .relaxed) }

    /// The counters as they stand.
    var counts: (active: Int, refused: Int) {
        (activeCalls.load(ordering: .relaxed), refusedCalls.load(ordering: .relaxed))
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
    private var calls: [ObjectIdentifier: ServerCall] = [:]
    /// Where responses are encoded; nil while that is going on.
    @exclusivity(unchecked) private var writer: WireWriter?
    private var isDraining = false

    init(core: ServerCore, loop: EventLoop) {
        self.core = core
        self.loop = loop
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
