/// Reserves and their commits: what the next step of each lane is, and whether its answer is right.
final class StepPairs {
    /// One lane's place in its pair.
    private struct Place {
        var id = StepIDs.ID()
        var row = 0
        /// Whether the reservation was answered and is to be committed next.
        var isOpen = false
    }

    private let templates: StepTemplates
    private var ids = StepIDs()
    private let places: UnsafeMutablePointer<Place>
    private let rows = TraceRows.all
    private var nextRow = 0

    init(lanes: Int, framing: StepTemplates.Framing) {
        templates = StepTemplates(framing)
        places = .allocate(capacity: lanes)
        places.initialize(repeating: Place(), count: lanes)
    }

    deinit { places.deallocate() }

    /// Whether the lane's next step is a Commit.
    func isOpen(_ lane: Int) -> Bool { places[lane].isOpen }

    /// Adds the lane's next step to a request.
    @inline(__always)
    func append(_ lane: Int, to request: inout ByteBuffer, tag: UInt16 = 0, nowNs: Int64) {
        if places[lane].isOpen {
            templates.commits[places[lane].row].append(to: &request, id: places[lane].id, tag: tag)
        } else {
            nextRow = nextRow + 1 == rows.count ? 0 : nextRow + 1
            places[lane].row = nextRow
            places[lane].id = ids.next(nowNs: nowNs)
            templates.reserves[nextRow].append(to: &request, id: places[lane].id, tag: tag)
        }
    }

    /// What is wrong with the answer to the lane's step; nil where nothing is.
    func fault(_ lane: Int, _ answer: StepAnswer) -> String? {
        let place = places[lane]
        return place.isOpen
            ? answer.faultAsCommit(id: place.id, row: rows[place.row])
            : answer.faultAsReserve(id: place.id, row: rows[place.row])
    }

    /// Goes on to the lane's next step: the commit of a reservation that was made, else a new reservation.
    func advance(_ lane: Int, succeeded: Bool) {
        places[lane].isOpen = succeeded && !places[lane].isOpen
    }
}
