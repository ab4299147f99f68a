/// The methods that a run calls.
enum Method: Int, CaseIterable {
    case reserve, commit, batch, meter, balance, echo

    var path: String {
        switch self {
        case .reserve: "/tollgate.v1.Metering/Reserve"
        case .commit: "/tollgate.v1.Metering/Commit"
        case .batch: "/tollgate.v1.Metering/Batch"
        case .meter: "/tollgate.v1.Metering/Meter"
        case .balance: "/tollgate.v1.Credits/GetBalance"
        case .echo: "/tollgate.bench.Echo/Echo"
        }
    }
}

/// What the unary calls of a run say, and what must be answered.
protocol CallScript: AnyObject {
    /// Writes the body of the lane's next call into its request, and says which call of which tenant it is.
    func write(_ lane: LanePointer) -> (method: Method, tenant: Int)
    /// What is wrong with an answer; nil where nothing is.
    func fault(_ lane: LanePointer, _ message: UnsafeRawBufferPointer) -> String?
    /// Goes on to the lane's next call.
    func advance(_ lane: LanePointer, succeeded: Bool)
    /// Whether the lane has something to finish although the run ends.
    func owes(_ lane: LanePointer) -> Bool
}

/// The tenants of a run, each in its turn.
struct TenantTurns {
    let count: Int
    private var last = -1

    init(count: Int) { self.count = count }

    mutating func next() -> Int {
        last = last + 1 == count ? 0 : last + 1
        return last
    }
}
