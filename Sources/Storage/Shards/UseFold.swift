import Ledger

/// What a run of entries used: by quarter of an hour, and within it for whom.
struct UseFold {
    struct Use: Equatable {
        var micros: Int64 = 0
        var calls: Int64 = 0

        mutating func add(_ other: Use) {
            micros &+= other.micros
            calls &+= other.calls
        }
    }

    /// For whom, and for what, credits were used.
    struct Subject: Hashable {
        var feature: String
        var actor: String
    }

    struct Quarter {
        let quarterHour: Int64
        /// For whomever.
        fileprivate(set) var total = Use()
        /// By place of the subject.
        fileprivate(set) var bySubject: [Use?] = []
    }

    private(set) var quarters: [Quarter] = []

    /// Entries come in order of time.
    mutating func add(_ use: Use, at instant: Instant, subject: Int) {
        let quarterHour = UsageBucket.quarterHour(of: instant)
        if quarters.last?.quarterHour != quarterHour { quarters.append(Quarter(quarterHour: quarterHour)) }
        let last = quarters.count - 1
        quarters[last].total.add(use)
        while quarters[last].bySubject.count <= subject { quarters[last].bySubject.append(nil) }
        if quarters[last].bySubject[subject]?.add(use) == nil { quarters[last].bySubject[subject] = use }
    }
}

extension UseFold {
    /// The subjects of a run, each once. Most entries are for the subject of the entry before.
    struct SubjectTable {
        private var subjects: [Subject] = []
        private var places: [Subject: Int] = [:]
        private var latest = 0

        subscript(place: Int) -> Subject { subjects[place] }

        mutating func place(_ feature: UnsafeRawBufferPointer, _ actor: UnsafeRawBufferPointer) -> Int {
            if latest < subjects.count, subjects[latest].feature.hasBytes(feature),
                subjects[latest].actor.hasBytes(actor)
            {
                return latest
            }
            return place(
                Subject(
                    feature: String(decoding: feature, as: UTF8.self), actor: String(decoding: actor, as: UTF8.self)))
        }

        mutating func place(_ subject: Subject) -> Int {
            if let place = places[subject] {
                latest = place
            } else {
                latest = subjects.count
                places[subject] = latest
                subjects.append(subject)
            }
            return latest
        }
    }
}

extension String {
    fileprivate func hasBytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        utf8.count == bytes.count && utf8.elementsEqual(bytes)
    }
}

extension EntryView {
    /// What the entry adds to the rollups: the credits that it charged, less those it refunded, and one call where it is the first
    /// charge of its reservation.
    var use: UseFold.Use {
        var use = UseFold.Use(micros: consumed)
        switch kind {
        case .charge: use.calls = 1
        case .commit: use.calls = committed == consumed ? 1 : 0
        case .partialCommit: use.calls = consumed > 0 && committed == consumed ? 1 : 0
        default: break
        }
        return use
    }
}
