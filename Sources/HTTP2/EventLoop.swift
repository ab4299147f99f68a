import CLinux
import Glibc
import Locks
import Synchronization

/// Takes the readiness of a descriptor, on the loop's thread.
protocol ReadinessHandler: AnyObject {
    /// The descriptor is ready; `events` are epoll's.
    func ready(_ events: UInt32)
    /// Whether it is served after all others, for a part of the loop's time; see `EventLoop+Strangers.swift`.
    var isStranger: Bool { get }
    /// The loop ends; nothing more will come.
    func loopStopped()
}

extension ReadinessHandler {
    var isStranger: Bool { false }
}

/// Does something once at the end of a turn in which it asked to, such as writing all that a turn has gathered.
protocol TurnEndHandler: AnyObject {
    func turnEnded()
}

/// Names a descriptor that a loop watches; a late report for one that was closed finds no match.
struct Registration: Equatable {
    var slot: UInt32
    var generation: UInt32
    var data: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

/// What a place of a loop's table watches, and with which of its two epoll descriptors.
private struct Watched {
    var generation: UInt32 = 0
    var handler: (any ReadinessHandler)?
    var watch: Int32 = -1
}

/// Work that is done at a time.
private final class TimedWork: TimerTarget {
    private let work: () -> Void

    init(_ work: @escaping () -> Void) { self.work = work }

    func timeIsUp() { work() }
}

/// Hears on a loop's thread when the loop has something to do, and when it has done all of it and waits.
package struct LoopActivity: Sendable {
    let began: @Sendable () -> Void
    let paused: @Sendable () -> Void

    package init(began: @escaping @Sendable () -> Void, paused: @escaping @Sendable () -> Void) {
        self.began = began
        self.paused = paused
    }
}

/// One thread around one epoll descriptor. All that belongs to a connection happens on its loop's thread.
///
/// A turn is: wait for readiness, handle it, run due timers, run what other threads handed over, then end the turn:
/// connections that were touched write what they have, once each. What other threads hand over in one batch so
/// becomes one wake and one write for each connection. Then come strangers, where any are ready and it is their time.
///
/// `Sendable` since everything but the inbox, which stands under its lock, and a few atomics is touched by the
/// loop's thread alone, or before it starts. `@exclusivity(unchecked)`: as in `HTTP2Stream`; what other modules read for each
/// call has an accessor here, since they would check it all the same.
package final class EventLoop: @unchecked Sendable {
    /// What other threads hand over.
    struct Inbox {
        var work: [@Sendable () -> Void] = []
        /// Whether the loop waits, or is about to, and nobody has woken it yet.
        var sleeps = false
        /// After the end nothing is taken any more.
        var isClosed = false
    }

    /// The thread's name, as ps shows it.
    package let name: String
    let epoll: Int32
    private let wakeup: Int32
    private let inbox = Protected(Inbox())
    private let threadID = Atomic<UInt>(0)
    private var thread: pthread_t?
    private var isRunning = true
    private var timers = TimerHeap()
    private var handlers: [Watched] = []
    private var freeSlots: [UInt32] = []
    @exclusivity(unchecked) private var turnEnders: [any TurnEndHandler] = []
    private var batch: [@Sendable () -> Void] = []
    @exclusivity(unchecked) var strangers: Strangers
    /// When somebody who is no stranger was last ready.
    @exclusivity(unchecked) private(set) var othersReadyNs: Int64 = .min / 2
    /// Monotonic time at the start of this part of the turn, in nanoseconds; good enough for time-outs.
    package var nowNs: Int64 { turnNs }
    @exclusivity(unchecked) private var turnNs: Int64 = monotonicNs()
    /// Whether the loop has more to do than one turn should hold: less is read then, so that its turns stay short.
    @exclusivity(unchecked) package var isPressed = false
    /// Whether something was left unread in this turn, and in the one before.
    @exclusivity(unchecked) var isBehind = false
    package var wasBehind: Bool { leftUnread }
    @exclusivity(unchecked) private var leftUnread = false
    /// Who hears when it has something to do; set before it starts.
    package var activity: LoopActivity?
    /// How often it had done all that there was to do.
    @exclusivity(unchecked) package private(set) var pauses = 0
    /// Connections on which streams were opened since `countConnections`.
    @exclusivity(unchecked) private var activeConnections = 0
    @exclusivity(unchecked) private var countNumber = 0
    /// Streams that each peer may have open, where that is less than its connection allows.
    @exclusivity(unchecked) package var streamsMax = UInt32.max
    /// One buffer for what any connection reads, one for what it writes: neither keeps anything between two turns.
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.readBufferBytes, alignment: 16)
    let writeBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.writeBufferBytes, alignment: 16)
    /// What its connections hold together.
    @exclusivity(unchecked) var holdings = LoopHoldings()
    /// What the loop's sessions live in.
    let sessionMemory = BlockPool()
    /// Streams that ended and that nobody holds any more, for the next ones.
    @exclusivity(unchecked) var sparedStreams: [HTTP2Stream] = []

    package init(name: String) throws(HTTP2Error) {
        self.name = name
        epoll = cl_epoll_create()
        guard epoll >= 0 else { throw HTTP2Error.system(call: "epoll_create1", errno: errno) }
        wakeup = cl_eventfd()
        guard wakeup >= 0 else {
            let error = errno
            close(epoll)
            throw HTTP2Error.system(call: "eventfd", errno: error)
        }
        strangers = Strangers(epoll: cl_epoll_create())
        guard strangers.epoll >= 0 else {
            let error = errno
            for descriptor in [epoll, wakeup] { close(descriptor) }
            throw HTTP2Error.system(call: "epoll_create1", errno: error)
        }
        // Edge-triggered: every write is a new edge, so that nobody has to read the counter.
        let events = UInt32(CL_EPOLLIN) | Self.edgeTriggered
        let readable = UInt32(CL_EPOLLIN)
        guard cl_epoll_control(epoll, Int32(CL_EPOLL_ADD), wakeup, events, Self.wakeupData) == 0,
            cl_epoll_control(epoll, Int32(CL_EPOLL_ADD), strangers.epoll, readable, Self.strangersData) == 0
        else {
            let error = errno
            for descriptor in [epoll, wakeup, strangers.epoll] { close(descriptor) }
            throw HTTP2Error.system(call: "epoll_ctl", errno: error)
        }
    }

    deinit {
        close(epoll)
        close(wakeup)
        close(strangers.epoll)
        readBuffer.deallocate()
        writeBuffer.deallocate()
    }

    private static let edgeTriggered: UInt32 = 1 << 31
    private static let wakeupData = UInt64.max
    static let strangersData = UInt64.max - 1

    // MARK: From any thread

    /// Whether this is the loop's thread.
    package var inLoop: Bool { threadID.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Starts the thread. Once.
    package func start() throws(HTTP2Error) {
        precondition(thread == nil, "an event loop is started once")
        var made = pthread_t()
        let box = Unmanaged.passRetained(self)
        let error = pthread_create(
            &made, nil,
            { argument in
                Unmanaged<EventLoop>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        guard error == 0 else {
            box.release()
            throw HTTP2Error.system(call: "pthread_create", errno: error)
        }
        thread = made
    }

    /// Has the loop do something soon, in the order of the calls. After the loop's end it is dropped.
    package func execute(_ work: @escaping @Sendable () -> Void) {
        let mustWake = inbox.withLock { inbox in
            guard !inbox.isClosed else { return false }
            inbox.work.append(work)
            guard inbox.sleeps else { return false }
            inbox.sleeps = false
            return true
        }
        if mustWake {
            var one: UInt64 = 1
            _ = write(wakeup, &one, 8)
        }
    }

    /// Ends the loop after what was handed over before; its connections are closed.
    package func stop() {
        execute { [self] in isRunning = false }
    }

    /// Waits for the end of the thread; never from the loop itself.
    package func join() {
        precondition(!inLoop, "an event loop cannot wait for itself")
        guard let thread else { return }
        pthread_join(thread, nil)
        self.thread = nil
    }

    // MARK: On the loop

    /// Has `work` done once after so many nanoseconds. Only on the loop's thread.
    @discardableResult
    package func schedule(after delayNs: Int64, _ work: @escaping () -> Void) -> TimerToken {
        precondition(inLoop, "timers belong to the loop's thread")
        let (dueNs, overflow) = monotonicNs().addingReportingOverflow(max(0, delayNs))
        return timers.insert(TimedWork(work), dueNs: overflow ? .max : dueNs)
    }

    /// Tells `target`, which is kept until then, once at a time of the monotonic clock. Only on the loop's thread.
    package func schedule(at dueNs: Int64, _ target: any TimerTarget) -> TimerToken {
        precondition(inLoop, "timers belong to the loop's thread")
        return timers.insert(target, dueNs: dueNs)
    }

    /// Takes a timer back; nothing happens where it has run already. Only on the loop's thread.
    package func cancel(_ token: TimerToken) {
        precondition(inLoop, "timers belong to the loop's thread")
        timers.remove(token)
    }

    /// Watches a descriptor; `handler` is kept until `unregister`.
    func register(
        _ descriptor: Int32, events: UInt32, handler: any ReadinessHandler
    ) throws(HTTP2Error) -> Registration {
        let slot = freeSlots.popLast() ?? UInt32(handlers.count)
        if Int(slot) == handlers.count { handlers.append(Watched()) }
        let registration = Registration(slot: slot, generation: handlers[Int(slot)].generation)
        let watch = handler.isStranger ? strangers.epoll : epoll
        guard cl_epoll_control(watch, Int32(CL_EPOLL_ADD), descriptor, events, registration.data) == 0 else {
            let error = errno
            freeSlots.append(slot)
            throw HTTP2Error.system(call: "epoll_ctl", errno: error)
        }
        handlers[Int(slot)].handler = handler
        handlers[Int(slot)].watch = watch
        return registration
    }

    /// Changes what a descriptor is watched for.
    func modify(_ registration: Registration, _ descriptor: Int32, events: UInt32) {
        let watch = handlers[Int(registration.slot)].watch
        let result = cl_epoll_control(watch, Int32(CL_EPOLL_MODIFY), descriptor, events, registration.data)
        precondition(result == 0, "a registered descriptor can be changed")
    }

    /// Watches a descriptor as its handler's `isStranger` says now.
    /// - Parameter events: what it is watched for.
    func move(_ registration: Registration, _ descriptor: Int32, events: UInt32) {
        let slot = Int(registration.slot)
        guard let handler = handlers[slot].handler else { return }
        let (old, new) = (handlers[slot].watch, handler.isStranger ? strangers.epoll : epoll)
        // Where the kernel has no room for it there, it stays where it is.
        guard new != old, cl_epoll_control(new, Int32(CL_EPOLL_ADD), descriptor, events, registration.data) == 0 else {
            return
        }
        _ = cl_epoll_control(old, Int32(CL_EPOLL_DELETE), descriptor, 0, 0)
        handlers[slot].watch = new
    }

    /// Ends the watch, before the descriptor is closed.
    func unregister(_ registration: Registration, _ descriptor: Int32) {
        let slot = Int(registration.slot)
        _ = cl_epoll_control(handlers[slot].watch, Int32(CL_EPOLL_DELETE), descriptor, 0, 0)
        handlers[slot].handler = nil
        handlers[slot].generation &+= 1
        freeSlots.append(registration.slot)
    }

    /// Has the handler called at the end of this turn; it sees to asking once only.
    func atTurnEnd(_ handler: any TurnEndHandler) { turnEnders.append(handler) }

    // MARK: Connections with streams

    /// How many had streams opened since this was asked last.
    package func countConnections() -> Int {
        defer {
            countNumber &+= 1
            activeConnections = 0
        }
        return activeConnections
    }

    /// Counts a connection, once.
    /// - Parameter countedIn: Where it was counted last.
    func count(_ countedIn: inout Int) {
        guard countedIn != countNumber else { return }
        countedIn = countNumber
        activeConnections += 1
    }

    // MARK: The thread

    private func run() {
        threadID.store(UInt(pthread_self()), ordering: .relaxed)
        cl_thread_name(String(name.prefix(15)))
        cl_thread_short_turns()
        activity?.began()
        var events = [cl_event](repeating: cl_event(), count: Limits.eventsPerTurnMax)
        while isRunning {
            let count = events.withUnsafeMutableBufferPointer { wait(into: $0) }
            turnNs = monotonicNs()
            leftUnread = isBehind
            isBehind = false
            for index in 0..<max(0, count) { dispatch(events[index]) }
            runTimers()
            takeInbox()
            endTurn()
            if strangers.areReady { serveStrangers() }
        }
        activity?.paused()
        shutDown()
    }

    /// Waits until something is ready, due or handed over.
    private func wait(into events: UnsafeMutableBufferPointer<cl_event>) -> Int {
        let isEmpty = inbox.withLock { inbox in
            inbox.sleeps = inbox.work.isEmpty
            return inbox.sleeps
        }
        var timeoutMs: Int32 = isEmpty ? -1 : 0
        if isEmpty, let dueNs = timers.nextDueNs {
            let leftNs = max(0, dueNs - monotonicNs())
            // Rounded up: waking early would spin until the time has come.
            timeoutMs = Int32(min(Int64(Int32.max), leftNs / 1_000_000 + (leftNs % 1_000_000 == 0 ? 0 : 1)))
        }
        // The kernel tells those first that it did not tell last: with few at a time all have their turn.
        let capacity = Int32(isPressed ? min(events.count, Limits.eventsPerPressedTurnMax) : events.count)
        // Whether it is a pause is asked first: a loop with much to do has none.
        let count = poll(events.baseAddress, capacity, 0)
        guard count == 0, timeoutMs != 0 else { return count }
        pauses += 1
        activity?.paused()
        defer { activity?.began() }
        return poll(events.baseAddress, capacity, timeoutMs)
    }

    private func poll(_ events: UnsafeMutablePointer<cl_event>?, _ capacity: Int32, _ timeoutMs: Int32) -> Int {
        let count = cl_epoll_wait(epoll, events, capacity, timeoutMs)
        precondition(count >= 0 || errno == EINTR, "epoll_wait fails on nothing but a signal")
        return Int(count)
    }

    private func dispatch(_ event: cl_event) {
        switch event.data {
        case Self.wakeupData: return
        case Self.strangersData: strangers.areReady = true
        default:
            othersReadyNs = nowNs
            handler(of: event)?.ready(event.events)
        }
    }

    func handler(of event: cl_event) -> (any ReadinessHandler)? {
        let slot = Int(event.data & 0xffff_ffff)
        guard slot < handlers.count, UInt64(handlers[slot].generation) == event.data >> 32 else { return nil }
        return handlers[slot].handler
    }

    private func runTimers() {
        while let target = timers.popDue(nowNs: nowNs) { target.timeIsUp() }
    }

    /// Runs what has been handed over up to now; what comes meanwhile waits for the next turn, after a look at the
    /// sockets.
    private func takeInbox() {
        inbox.withLock { inbox in
            inbox.sleeps = false
            swap(&inbox.work, &batch)
        }
        for work in batch { work() }
        batch.removeAll(keepingCapacity: true)
    }

    /// Handlers may ask again while others are called: the list is walked until it ends.
    func endTurn() {
        var index = 0
        while index < turnEnders.count {
            turnEnders[index].turnEnded()
            index += 1
        }
        turnEnders.removeAll(keepingCapacity: true)
    }

    private func shutDown() {
        for index in handlers.indices { handlers[index].handler?.loopStopped() }
        takeInbox()
        endTurn()
        inbox.withLock { inbox in
            inbox.isClosed = true
            inbox.work.removeAll()
        }
        while timers.popDue(nowNs: .max) != nil {}
    }
}
