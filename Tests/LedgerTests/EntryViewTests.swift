import Ledger
import SeededRandom
import Testing

/// What is read of an entry in place is what it says when it is decoded.
@Suite struct EntryViewTests {
    private func expectSame(_ entries: [Entry], sourceLocation: SourceLocation = #_sourceLocation) throws {
        var bytes: [UInt8] = []
        EntryCodec.encodeRecord(entries, into: &bytes)
        try bytes.withUnsafeBytes { bytes in
            var views = try EntryViews(ofRecord: bytes)
            for entry in entries {
                let view = try #require(try views.next(), sourceLocation: sourceLocation)
                expectSame(view, entry)
                #expect(try view.entry() == entry, sourceLocation: sourceLocation)
                var whole: [UInt8] = []
                EntryCodec.encode(entry, into: &whole)
                #expect([view.version] + Array(view.bytes) == whole, sourceLocation: sourceLocation)
            }
            #expect(try views.next() == nil, sourceLocation: sourceLocation)
        }
    }

    private func expectSame(_ view: EntryView, _ entry: Entry) {
        #expect(view.kind == entry.kind && view.sequence == entry.sequence && view.at == entry.at)
        #expect(view.key == entry.key && view.reservation == entry.reservation && view.after == entry.after)
        #expect(view.isKeyedByReservation == entry.isKeyedByReservation)
        var moves: [Move] = []
        view.forEachMove { moves.append($0) }
        #expect(moves == entry.moves)
        #expect(view.isAudited == (entry.audit != nil))
        #expect(view.consumed == entry.moves.reduce(0) { $0 &+ $1.consumed })
        switch entry.detail {
        case .opening(let terms, let progress):
            #expect(Array(view.feature) == Array(terms.feature.utf8) && Array(view.actor) == Array(terms.actor.utf8))
            #expect(view.state == progress.state && view.committed == committed(progress))
        case .progress(let progress, _):
            #expect(view.state == progress.state && view.committed == committed(progress))
        case .none, .grant, .price, .refusal, .change:
            #expect(view.state == nil)
        }
    }

    private func committed(_ progress: ReservationProgress) -> Int64 {
        progress.draws.reduce(progress.refunded) { $0 &+ $1.consumed }
    }

    @Test func `every kind and shape is read as it is decoded`() throws {
        for sample in EntryCodecTests.samples {
            try expectSame([sample])
            var commented = sample
            commented.comment = "why"
            commented.actor = "who"
            try expectSame([commented])
            commented.audit = commented.audit == nil ? EntryCodecTests.note : nil
            try expectSame([commented])
        }
        try expectSame(EntryCodecTests.samples)
        try expectSame([])
    }

    @Test func `no change of the bytes does harm`() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededRandom(seed: seed)
        for sample in EntryCodecTests.samples {
            var whole: [UInt8] = []
            EntryCodec.encodeRecord([sample], into: &whole)
            for _ in 0..<300 {
                var changed = whole
                changed[Int.random(in: changed.indices, using: &generator)] = UInt8(
                    truncatingIfNeeded: generator.next())
                changed.withUnsafeBytes { bytes in
                    guard var views = try? EntryViews(ofRecord: bytes) else { return }
                    while let view = try? views.next() {
                        // Texts are not looked into here, so that only what decodes is compared.
                        if let entry = try? view.entry() { expectSame(view, entry) }
                    }
                }
            }
        }
    }
}

/// The table does what a dictionary does.
@Suite struct IDTableTests {
    @Test func `a table and a dictionary agree`() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededRandom(seed: seed)
        var table = IDTable()
        var expected: [StepID: Int] = [:]
        for turn in 0..<40_000 {
            let number = Int.random(in: 0..<(turn < 20_000 ? 3_000 : 200), using: &generator)
            let id = number % 3 == 0 ? otherID(number) : id(number)
            if expected[id] == nil, Bool.random(using: &generator) {
                table.insert(id, turn)
                expected[id] = turn
            } else {
                table.remove(id)
                expected[id] = nil
            }
            #expect(table.count == expected.count, "seed \(seed)")
        }
        for number in 0..<3_000 {
            #expect(table.find(id(number)) == expected[id(number)], "seed \(seed)")
            #expect(table.find(otherID(number)) == expected[otherID(number)], "seed \(seed)")
        }
    }
}
