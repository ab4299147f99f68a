import Ledger

extension FuzzTarget {
    /// A record of the journal: whatever it is taken for has bytes of its own, and what projections read of it in place is
    /// what it says when it is decoded.
    static let record = FuzzTarget(name: "record", seeds: { RecordSeeds.all }) { bytes in
        let entries = try? EntryCodec.decodeRecord(bytes)
        let views = try? readViews(bytes)
        guard let entries else { return }
        var written: [UInt8] = []
        EntryCodec.encodeRecord(entries, into: &written)
        let again = written.withUnsafeBytes { try? EntryCodec.decodeRecord($0) }
        try hold(again == entries, "what was written comes back as something else")
        try hold(written.count <= 2 * bytes.count + 16, "\(bytes.count) bytes became \(written.count)")
        guard let views else { throw broken("it is decoded, but not read in place") }
        try hold(views.count == entries.count, "\(views.count) entries in place, \(entries.count) decoded")
        for (view, entry) in zip(views, entries) { try expectSame(view, entry) }
    }

    private static func readViews(_ bytes: UnsafeRawBufferPointer) throws -> [EntryView] {
        var views = try EntryViews(ofRecord: bytes)
        var all: [EntryView] = []
        while let view = try views.next() {
            view.forEachMove { _ in }
            all.append(view)
        }
        return all
    }

    private static func expectSame(_ view: EntryView, _ entry: Entry) throws {
        var moves: [Move] = []
        view.forEachMove { moves.append($0) }
        try hold(
            view.kind == entry.kind && view.sequence == entry.sequence && view.at == entry.at && view.key == entry.key
                && view.reservation == entry.reservation && view.after == entry.after && moves == entry.moves
                && view.isAudited == (entry.audit != nil) && view.isKeyedByReservation == entry.isKeyedByReservation
                && view.consumed == entry.moves.reduce(0) { $0 &+ $1.consumed },
            "in place it is another entry than \(entry)")
        switch entry.detail {
        case .opening(let terms, let progress):
            try hold(
                view.feature.elementsEqual(terms.feature.utf8) && view.actor.elementsEqual(terms.actor.utf8),
                "another feature or actor than \(entry)")
            try expectSame(view, progress)
        case .progress(let progress, _): try expectSame(view, progress)
        case .none, .grant, .price, .refusal, .change:
            try hold(view.state == nil, "a state that \(entry) does not have")
        }
        let whole = try? view.entry()
        try hold(whole == entry, "the entry of the view is another than \(entry)")
    }

    private static func expectSame(_ view: EntryView, _ progress: ReservationProgress) throws {
        let committed = progress.draws.reduce(progress.refunded) { $0 &+ $1.consumed }
        try hold(view.state == progress.state && view.committed == committed, "another progress than \(progress)")
    }
}

/// The records of a book that did a step of every kind.
enum RecordSeeds {
    static var all: [[UInt8]] {
        var state = LedgerState()
        var now = Instant(microseconds: 1_795_219_200_000_000)
        var records: [[UInt8]] = []
        func keep(_ entries: Few<Entry>) {
            state.evolve(entries)
            guard !entries.isEmpty else { return }
            var bytes: [UInt8] = []
            EntryCodec.encodeRecord(entries, into: &bytes)
            records.append(bytes)
        }
        for command in commands {
            now = now.advanced(microseconds: 30_000_000)
            // Settling evolves by itself; its entries are records of their own.
            let settled = state.settle(at: now)
            if !settled.isEmpty {
                var bytes: [UInt8] = []
                EntryCodec.encodeRecord(settled, into: &bytes)
                records.append(bytes)
            }
            keep(state.decide(command, at: now).entries)
        }
        return records + [
            [], [2, 0], [1, 0], [2, 1, 31, 0, 0, 0, 0, 0], [2, 255, 255, 255, 255, 255, 255, 255, 255, 127],
        ]
    }

    private static func id(_ number: UInt64) -> StepID {
        StepID(high: number << 16 | 0x7000, low: 0x8000_0000_0000_0000 | number)
    }

    private static let price = PriceSchedule(
        FeaturePrice(feature: "chat", units: [UnitPrice(unit: "tokens", amountMicros: 1_000, per: 1)]))

    private static var commands: [Command] {
        let tokens = Ask.quantities([Quantity(unit: "tokens", count: 40)], quality: .best, price: price)
        var opening = ReserveCommand(
            id: id(2), fingerprint: 2, ask: tokens, feature: "chat", actor: "zoé", comment: "why",
            labels: [Label(key: "run", value: "7")])
        opening.minimumMicros = 5
        return [
            .grant(GrantCommand(id: id(1), fingerprint: 1, kind: .gifted, amountMicros: 90_000, expiresAt: nil)),
            .reserve(opening),
            .commit(
                CommitCommand(reservation: id(2), fingerprint: 3, ask: .amount(1_000), partial: true, comment: "part")),
            .commit(CommitCommand(reservation: id(2), fingerprint: 4, ask: tokens)),
            .refund(RefundCommand(id: id(3), reservation: id(2), fingerprint: 5, amountMicros: 7, reason: "sorry")),
            .reserve(ReserveCommand(id: id(4), fingerprint: 6, ask: .amount(9), ttlMicroseconds: 40_000_000)),
            .extend(ExtendCommand(reservation: id(4), fingerprint: 7, ttlMicroseconds: 10_000_000)),
            .charge(ReserveCommand(id: id(5), fingerprint: 8, ask: .amount(12))),
            .reserve(ReserveCommand(id: id(6), fingerprint: 9, ask: .amount(.max))),
            .release(ReleaseCommand(reservation: id(4), fingerprint: 10)),
        ]
    }
}
