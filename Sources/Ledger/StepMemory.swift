/// What is remembered of the steps that do not go by their reservation's id (see `Entry.isKeyedByReservation`), of refused
/// ones, and of those that were looked up in the shard.
enum RememberedStep: Sendable {
    /// A later step of a reservation that is in memory too.
    case reservation(StepID, StepTrace)
    /// A grant, by its number.
    case grant(UInt32, paid: Int64, fingerprint: UInt64, at: Instant, balance: BalanceAfter)
    /// A step whose answer is nothing but what its entry moved.
    case plain(EntryKind, fingerprint: UInt64, at: Instant, amount: Int64, BalanceAfter)
    /// `ordinal` tells it from a later refusal under the same key.
    case refused(Refusal, fingerprint: UInt64, ordinal: UInt64)
    /// As the shard told it.
    indirect case adopted(RecordedStep)

    /// True for a refusal, wherever it comes from.
    var isRefusal: Bool {
        switch self {
        case .refused: true
        case .adopted(let step):
            if case .failure = step.outcome { true } else { false }
        case .reservation, .grant, .plain: false
        }
    }
}

/// Remembered steps by key. Grants stand apart: every book has some, and most have nothing else, so that most steps are
/// looked for in an empty table.
private struct StepTable: Sendable {
    private var grants: [StepID: RememberedStep] = [:]
    private var others: [StepKey: RememberedStep] = [:]

    subscript(key: StepKey) -> RememberedStep? {
        get { key.family == .grant ? grants[key.id] : others[key] }
        set { if key.family == .grant { grants[key.id] = newValue } else { others[key] = newValue } }
    }
}

/// The steps and reservations in memory, in the order in which they may be let go of, and what is kept of those that were.
struct StepMemory: Sendable {
    /// Something that may be forgotten once the shard holds the entry with its number.
    enum Item: Sendable {
        case reservation(StepID)
        case step(StepKey)
    }

    private struct Dated: Sendable {
        let item: Item
        let sequence: UInt64
    }

    private struct Refused: Sendable {
        let key: StepKey
        let ordinal: UInt64
        let at: Instant
        /// Number of the entry after it: once the shard holds that one, it holds the refusal.
        let flushedBy: UInt64
    }

    var reservations = ReservationTable()
    private var steps = StepTable()
    private var items = FIFO<Dated>()
    private var refusals = FIFO<Refused>()
    private var adopted = FIFO<Item>()
    private var ordinal: UInt64 = 0
    /// The ids of what the shard may know and memory does not.
    private var forgotten: IDMark

    init(forgotten: IDMark = IDMark()) {
        self.forgotten = forgotten
    }

    /// Neither memory nor the shard can know the id, unless memory has it now.
    func isNew(_ id: StepID) -> Bool { forgotten.lacks(id) }

    /// Some step that goes by its reservation's id may be among `steps`: one that was refused or looked up.
    private var holdsRefusals: Bool { refusals.count > 0 || adopted.count > 0 }

    /// The remembered step, where it is not with its reservation.
    func step(_ key: StepKey) -> RememberedStep? {
        switch key.family {
        // Most books hold none of these two here: no need to look.
        case .opening, .release: holdsRefusals ? steps[key] : nil
        default: steps[key]
        }
    }

    // MARK: - Remembering

    mutating func remember(_ key: StepKey, _ step: RememberedStep, sequence: UInt64) throws(Contradiction) {
        if let before = steps[key], !before.isRefusal { throw .stepExists(key) }
        steps[key] = step
        items.append(Dated(item: .step(key), sequence: sequence))
    }

    /// A step that goes by its reservation's id succeeded after all: the refusal of an earlier try counts no more.
    mutating func dropRefusal(of key: StepKey) {
        if holdsRefusals, steps[key]?.isRefusal == true { steps[key] = nil }
    }

    mutating func remember(refusal: Refusal, of entry: Entry, key: StepKey, flushedBy: UInt64) {
        ordinal += 1
        steps[key] = .refused(refusal, fingerprint: entry.fingerprint, ordinal: ordinal)
        refusals.append(Refused(key: key, ordinal: ordinal, at: entry.at, flushedBy: flushedBy))
        if refusals.count > Limits.maxRefusals { forgetFirstRefusal() }
    }

    /// A reservation is closed, or went on being closed, with the entry of that number.
    mutating func mayForget(reservation: StepID, sequence: UInt64) {
        items.append(Dated(item: .reservation(reservation), sequence: sequence))
    }

    mutating func adopt(_ step: RecordedStep, for key: StepKey) {
        guard steps[key] == nil else { return }
        steps[key] = .adopted(step)
        adopt(.step(key))
    }

    /// Takes up a closed reservation from the shard, or what memory lacks of it.
    mutating func adopt(_ reservation: Reservation) {
        if let place = reservations.find(reservation.id) {
            guard !reservations[place].hasTerms else { return }
            reservations[place].reservation.terms = reservation.terms
            reservations[place].reservation.createdAt = reservation.createdAt
            reservations[place].hasTerms = true
        } else {
            _ = reservations.insert(reservation)
            adopt(.reservation(reservation.id))
        }
    }

    private mutating func adopt(_ item: Item) {
        adopted.append(item)
        if adopted.count > Limits.maxAdopted, let first = adopted.first {
            adopted.removeFirst()
            forgetAdopted(first)
        }
    }

    // MARK: - Forgetting

    mutating func forget(flushedThrough: UInt64, keep: Int, before oldest: Instant, atMost: Int) -> Bool {
        var left = atMost
        while left > 0, items.count > keep, let first = items.first, first.sequence <= flushedThrough {
            items.removeFirst()
            forget(first)
            left -= 1
        }
        while left > 0, let first = refusals.first,
            refusals.count > keep && first.flushedBy <= flushedThrough || first.at < oldest
        {
            forgetFirstRefusal()
            left -= 1
        }
        if left < atMost { reservations.shrink() }
        return left == 0
    }

    private mutating func forget(_ dated: Dated) {
        switch dated.item {
        case .reservation(let id):
            // Where an entry came later, a later item stands for the reservation.
            guard let place = reservations.find(id), reservations[place].lastSequence == dated.sequence else { return }
            reservations.remove(place)
            forgotten.insert(id)
        case .step(let key):
            forget(key)
        }
    }

    private mutating func forget(_ key: StepKey) {
        steps[key] = nil
        forgotten.insert(key.id)
        if let place = reservations.find(key.id) { reservations[place].isWhole = false }
    }

    private mutating func forgetFirstRefusal() {
        guard let first = refusals.first else { return }
        refusals.removeFirst()
        // Another try may have taken its place under the same key.
        if case .refused(_, _, first.ordinal) = steps[first.key] { forget(first.key) }
    }

    private mutating func forgetAdopted(_ item: Item) {
        switch item {
        case .reservation(let id):
            guard let place = reservations.find(id), reservations[place].lastSequence == 0,
                reservations[place].reservation.progress.state != .open
            else { return }
            reservations.remove(place)
            forgotten.insert(id)
        case .step(let key):
            if case .adopted = steps[key] { forget(key) }
        }
    }
}
