/// Reserves and their commits: what the next step of each place is, and whether its answer is right. A lane has one place, or
/// as many as its batches have steps.
final class StepPairs {
    /// Where in its pair one place is.
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

    init(places count: Int, framing: StepTemplates.Framing) {
        templates = StepTemplates(framing)
        places = .allocate(capacity: count)
        places.initialize(repeating: Place(), count: count)
    }

    deinit {
        places.deallocate()
        templates.deallocate()
    }

    /// Whether the place's next step is a Commit.
    func isOpen(_ number: Int) -> Bool { places[number].isOpen }

    /// Adds the place's next step to a request.
    @inline(__always)
    func append(_ number: Int, to request: inout ByteBuffer, tag: UInt16 = 0, nowNs: Int64) {
        if places[number].isOpen {
            templates.commits[places[number].row].append(to: &request, id: places[number].id, tag: tag)
        } else {
            nextRow = nextRow + 1 == rows.count ? 0 : nextRow + 1
            places[number].row = nextRow
            places[number].id = ids.next(nowNs: nowNs)
            templates.reserves[nextRow].append(to: &request, id: places[number].id, tag: tag)
        }
    }

    /// What is wrong with the answer to the place's step; nil where nothing is.
    func fault(_ number: Int, _ answer: StepAnswer) -> String? {
        let place = places[number]
        return place.isOpen
            ? answer.faultAsCommit(id: place.id, row: rows[place.row])
            : answer.faultAsReserve(id: place.id, row: rows[place.row])
    }

    /// Goes on to the place's next step: the commit of a reservation that was made, else a new reservation.
    func advance(_ number: Int, succeeded: Bool) {
        places[number].isOpen = succeeded && !places[number].isOpen
    }
}
