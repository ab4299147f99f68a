import HTTP2
import Synchronization

/// What all calls of a server share.
final class ServerCore: Sendable {
    let configuration: RPCServerConfiguration
    let methods: MethodTable
    let interceptors: [any ServerInterceptor]
    /// The server's health, which `GET /healthz` tells.
    let health: HealthStatus
    /// How many calls are under way, on all loops.
    private let activeCalls = Atomic<Int>(0)
    /// How many calls were refused because too many were under way.
    private let refusedCalls = Atomic<Int>(0)

    init(
        configuration: RPCServerConfiguration, methods: MethodTable, interceptors: [any ServerInterceptor],
        health: HealthStatus
    ) {
        self.configuration = configuration
        self.methods = methods
        self.interceptors = interceptors
        self.health = health
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
/// them. Confined to the loop's thread, save its constants; that is why it is `Sendable`.
final class ServerLoop: @unchecked Sendable {
    let core: ServerCore
    let loop: EventLoop
    private var calls: [ObjectIdentifier: ServerCall] = [:]
    private var isDraining = false

    init(core: ServerCore, loop: EventLoop) {
        self.core = core
        self.loop = loop
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
