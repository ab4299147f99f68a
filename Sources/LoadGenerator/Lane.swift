/// One call after the other: what is in flight of one lane of a run. On a Meter stream: one step after the other.
///
/// The lanes of a connection lie in one block of memory and are passed on by address, as nghttp2's user data too.
struct Lane {
    /// Its number among all lanes of the run.
    let number: Int
    /// Whether it is the modest tenant's.
    let isModest: Bool
    /// Who carries its calls.
    unowned(unsafe) let carrier: any LaneCarrier
    /// Where it waits in a paced run; -1 before it does.
    var place = -1
    /// When its call began, or should have begun.
    var beganNs: Int64 = 0
    /// The request's body, and how much of it was taken by nghttp2.
    var request: ByteBuffer
    var sentCount = 0
    /// Whether the call is not answered yet.
    var isInFlight = false
    /// What came of an answer that is not whole yet.
    var response: ByteBuffer
    var isStatusOK = false
    var hasAnswer = false
    var grpcStatus: Int32 = -1
    var grpcMessage = ""
    /// What was wrong with the answer; nil where nothing was up to now.
    var fault: String?

    init(number: Int, isModest: Bool = false, carrier: any LaneCarrier) {
        self.number = number
        self.isModest = isModest
        self.carrier = carrier
        request = ByteBuffer(capacity: 256)
        response = ByteBuffer(capacity: 256)
    }

    /// Forgets the last call.
    @inline(__always)
    mutating func restart(nowNs: Int64) {
        beganNs = nowNs
        isInFlight = true
        request.removeAll()
        sentCount = 0
        response.removeAll()
        isStatusOK = false
        hasAnswer = false
        grpcStatus = -1
        if !grpcMessage.isEmpty { grpcMessage = "" }
        fault = nil
    }
}

/// The lanes of one connection, in memory that stays where it is.
struct LaneBlock {
    private let lanes: UnsafeMutableBufferPointer<Lane>

    init(first: Int, count: Int, carrier: any LaneCarrier) {
        self.init(first: first, count: count, firstModest: 0, modestCount: 0, carrier: carrier)
    }

    /// Lanes of one number after the other, and behind them those of the modest tenant.
    init(first: Int, count: Int, firstModest: Int, modestCount: Int, carrier: any LaneCarrier) {
        lanes = .allocate(capacity: count + modestCount)
        for index in 0..<count { lanes.initializeElement(at: index, to: Lane(number: first + index, carrier: carrier)) }
        for index in 0..<modestCount {
            lanes.initializeElement(
                at: count + index, to: Lane(number: firstModest + index, isModest: true, carrier: carrier))
        }
    }

    func deallocate() {
        for lane in lanes {
            lane.request.deallocate()
            lane.response.deallocate()
        }
        lanes.deinitialize()
        lanes.deallocate()
    }

    var count: Int { lanes.count }

    /// The lane of that place.
    subscript(index: Int) -> LanePointer {
        precondition(lanes.indices.contains(index), "A lane has its place in the block.")
        return lanes.baseAddress! + index
    }
}

typealias LanePointer = UnsafeMutablePointer<Lane>

/// Brings the calls of the lanes of one connection to the server.
protocol LaneCarrier: StreamFollower {
    /// The connection; set once it is made.
    var connection: Connection! { get set }
    /// Begins the lane's next call. It goes out with the connection's next `send`.
    func begin(_ lane: LanePointer, nowNs: Int64)
    /// Whether the server lets a further call be opened now.
    var hasRoom: Bool { get }
    /// Whether the lane has something to finish although the run ends: a hold that is to be committed.
    func owes(_ lane: LanePointer) -> Bool
    /// Hands each lane of the connection to `body`.
    func forEachLane(_ body: (LanePointer) -> Void)
    /// No lane begins anything any more, and nothing is in flight.
    func finish()
    /// Whether nothing is left to be answered after `finish`.
    var isFinished: Bool { get }
}

extension LaneCarrier {
    var hasRoom: Bool { true }
}
