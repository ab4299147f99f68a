/// What is kept of a set of ids in place of the ids: the greatest time-ordered one, and whether there were others. Clients
/// make ids that grow with time, so a new step is nearly always above the mark.
struct IDMark: Equatable, Sendable {
    private(set) var greatest: StepID
    private(set) var holdsOthers: Bool

    init(greatest: StepID = .zero, holdsOthers: Bool = false) {
        self.greatest = greatest
        self.holdsOthers = holdsOthers
    }

    mutating func insert(_ id: StepID) {
        if !id.isTimeOrdered {
            holdsOthers = true
        } else if greatest < id {
            greatest = id
        }
    }

    /// Certainly not: false says only that it may.
    func lacks(_ id: StepID) -> Bool {
        id.isTimeOrdered ? greatest < id : !holdsOthers
    }
}
