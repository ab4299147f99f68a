import Ledger
import SeededRandom
import Testing

/// Entries as bytes: golden bytes, sizes, and that no bytes whatever do harm.
@Suite struct EntryCodecTests {
    /// One entry of each kind and shape.
    static let samples: [Entry] = {
        let book = TestBook()
        book.grant(1_000_000, .subscription, expiresIn: 30 * day)
        book.grant(50_000_000)
        let quantities = [Quantity(unit: "input", count: 800), Quantity(unit: "output", count: 2_000)]
        _ = book.step(
            .reserve(
                ReserveCommand(
                    id: id(1), fingerprint: 0xFEED_FACE_CAFE_BEEF,
                    ask: .quantities(quantities, quality: .best, price: PriceSchedule(PricingTests.price)),
                    feature: "chat",
                    actor: "ada", comment: "grüß dich", labels: [Label(key: "team", value: "search")])))
        book.commit(1, 2_000, partial: true, step: id(40))
        book.extend(1, by: hour, step: id(41))
        book.extend(1, by: 2 * hour)
        _ = book.step(
            .commit(
                CommitCommand(
                    reservation: id(1), fingerprint: 9,
                    ask: .quantities(quantities, quality: .unspecified, price: nil), comment: "done")))
        _ = book.step(
            .refund(RefundCommand(id: id(42), reservation: id(1), fingerprint: 9, amountMicros: 3, reason: "sorry")))
        book.reserve(2, 30_000_000)
        book.release(2)
        book.charge(3, 7)
        book.reserve(4, 5_000_000, ttl: minute)
        book.commit(4, 90_000_000)
        book.wait(2 * minute)
        book.commit(4, 6_000_000, fingerprint: 10)
        book.grant(5, .gifted, expiresIn: 20 * day)
        book.wait(40 * day)
        return book.entries + oddEntries + governedSamples
    }()

    /// What no book has, but an entry may hold.
    static let oddEntries: [Entry] = {
        let balance = BalanceAfter(available: .max, held: .min)
        let progress = ReservationProgress(
            state: .open, late: true, expiresAt: .distantFuture, closedAt: Instant(microseconds: .min), refunded: .min,
            draws: [Draw(grant: .max, held: .min, consumed: .max), Draw(grant: 0, held: 0, consumed: 0)])
        var entries = [
            Entry(
                sequence: .max, at: Instant(microseconds: .min), kind: .extend, fingerprint: .max, reservation: id(1),
                amount: .min, moves: [Move(grant: .max, held: .min, consumed: .max, expired: .min)], after: balance,
                comment: "a", actor: "b", detail: .progress(progress, quantities: [Quantity(unit: "", count: .min)])),
            Entry(
                sequence: 0, at: .distantFuture, kind: .grant, key: StepKey(family: .refund, id: id(7)),
                after: balance,
                detail: .grant(
                    Grant(
                        number: .max, id: id(8), kind: .gifted, createdAt: .zero, expiresAt: .distantFuture,
                        comment: "c", amount: .max))),
        ]
        let refusals: [Refusal] = [
            .insufficientCredits(neededMicros: .max, availableMicros: 0), .reservationNotFound,
            .reservationClosed(.expired), .idReused, .refundExceedsCommitted(refundableMicros: 5),
            .price(.unknownUnit("x")), .price(.negativeQuantity(unit: "y")), .price(.overflow(unit: "z")), .overflow,
            .price(.unknownFeature), .expiryPassed, .price(.noQuantities),
        ]
        for refusal in refusals {
            entries.append(
                Entry(
                    sequence: 0, at: start, kind: .refusal, key: StepKey(family: .commit, id: id(9)), after: balance,
                    detail: .refusal(refusal)))
        }
        return entries
    }()

    private func bytes(_ entry: Entry) -> [UInt8] {
        var bytes: [UInt8] = []
        EntryCodec.encode(entry, into: &bytes)
        return bytes
    }

    private func decode(_ bytes: [UInt8]) throws(CodecError) -> Entry {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(CodecError) in try EntryCodec.decode(buffer) }
        }
        return try result.get()
    }

    @Test func `the samples are of every kind`() {
        #expect(Set(Self.samples.map(\.kind)) == Set(EntryKind.allCases))
    }

    @Test(arguments: samples.indices)
    func `an entry comes back as it was`(index: Int) throws {
        #expect(try decode(bytes(Self.samples[index])) == Self.samples[index])
    }

    @Test func `the entries of a record come back as they were`() throws {
        for count in [0, 1, Self.samples.count] {
            let entries = Array(Self.samples.prefix(count))
            var bytes: [UInt8] = []
            EntryCodec.encodeRecord(entries, into: &bytes)
            let decoded = try bytes.withUnsafeBytes { try EntryCodec.decodeRecord($0) }
            #expect(decoded == entries)
        }
    }

    @Test(arguments: samples.indices)
    func `an entry that is cut off or too long is an error`(index: Int) {
        let whole = bytes(Self.samples[index])
        for length in 0..<whole.count {
            #expect(throws: CodecError.self) { try decode(Array(whole.prefix(length))) }
        }
        #expect(throws: CodecError.trailing) { try decode(whole + [0]) }
    }

    @Test func `another version and an unknown kind are errors`() {
        #expect(throws: CodecError.unknownVersion(1)) { try decode([1]) }
        #expect(throws: CodecError.unknownKind(31)) { try decode([2, 31, 0, 0, 0, 0, 0]) }
        #expect(throws: CodecError.truncated) { try decode([]) }
    }

    @Test func `a count larger than the bytes that are left makes no room`() {
        // An expiry of a grant with 2^63 moves.
        let bytes: [UInt8] = [2, 10, 1, 0] + Array(repeating: 0xFF, count: 8) + [0x7F, 0]
        #expect(throws: CodecError.truncated) { try decode(bytes) }
    }

    @Test func `no change of the bytes does harm`() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededRandom(seed: seed)
        for sample in Self.samples {
            let whole = bytes(sample)
            for _ in 0..<300 {
                var changed = whole
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    changed[Int.random(in: changed.indices, using: &generator)] = UInt8(
                        truncatingIfNeeded: generator.next())
                }
                // Whatever it is taken for is an entry that has bytes of its own.
                guard let entry = try? decode(changed) else { continue }
                #expect(try! decode(bytes(entry)) == entry, "seed \(seed)")
            }
        }
    }

    @Test func `ordinary entries are small`() throws {
        let book = TestBook()
        book.state.evolve(Self.samples[0])
        let reserve = book.step(
            .reserve(
                ReserveCommand(
                    id: id(1), fingerprint: .max, ask: .amount(900_000), feature: "assistant", actor: "user-4711")))
        let commit = book.step(.commit(CommitCommand(reservation: id(1), fingerprint: .max, ask: .amount(123_456))))
        #expect(bytes(reserve.entries[0]).count <= 80)
        #expect(bytes(commit.entries[0]).count <= 70)
    }

    /// Bytes that are on disks. A change here is a change of the format: it needs another version, and this one read for ever.
    @Test func `the bytes are those of version 3, and those of version 2 are read`() throws {
        let golden = goldenEntries.split(separator: "\n\n").map { $0.filter { $0 != "\n" } }
        #expect(golden.count == Self.samples.count)
        for (index, (hex, sample)) in zip(golden, Self.samples).enumerated() {
            #expect(bytes(sample).hex == goldenQuantities[index] ?? "03" + hex.dropFirst(2))
            #expect(try decode([UInt8](hex: hex)) == sample)
        }
    }

    /// As a book has them that was begun by an older build.
    @Test func `a record of version 2 is read as it is`() throws {
        for hex in goldenEntries.split(separator: "\n\n").map({ $0.filter { $0 != "\n" } }) {
            let body = [UInt8](hex: hex)
            try ([2, 1] + body.dropFirst()).withUnsafeBytes { record in
                var views = try EntryViews(ofRecord: record)
                let view = try #require(try views.next())
                #expect([view.version] + Array(view.bytes) == body)
                #expect(try view.entry() == decode(body))
                #expect(try views.next() == nil)
            }
        }
    }

    @Test func `the numbers of units are those that are on disks`() throws {
        let names = goldenUnits.split(whereSeparator: \.isWhitespace).map(String.init)
        let plain = names.map { $0.dropLast() + "?" } + ["", "t", String(repeating: "ü", count: 90), "Tokens", "token"]
        for (number, name) in (names + plain).enumerated() {
            let entry = Entry(
                sequence: 1, at: start, kind: .commit, after: BalanceAfter(available: 0, held: 0),
                detail: .progress(
                    ReservationProgress(state: .committed, expiresAt: start, draws: []),
                    quantities: [Quantity(unit: name, count: 1)]))
            let bytes = bytes(entry)
            #expect(try decode(bytes) == entry)
            if number < names.count {
                #expect(bytes.suffix(2) == [UInt8(number * 2 + 1), 2], "\(name)")
            } else {
                #expect(bytes.dropLast().suffix(name.utf8.count).elementsEqual(name.utf8))
            }
        }
        let unknown: [UInt8] = [UInt8(names.count * 2 + 1), 2]
        let commit = Entry(
            sequence: 1, at: start, kind: .commit, after: BalanceAfter(available: 0, held: 0),
            detail: .progress(
                ReservationProgress(state: .committed, expiresAt: start, draws: []),
                quantities: [Quantity(unit: names[0], count: 1)]))
        #expect(throws: CodecError.invalid(field: .unit)) { try decode(bytes(commit).dropLast(2) + unknown) }
    }
}

extension [UInt8] {
    var hex: String {
        map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    init(hex: String) {
        var rest = hex.utf8.makeIterator()
        self = []
        while let high = rest.next(), let low = rest.next() {
            append(UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)!)
        }
    }
}
