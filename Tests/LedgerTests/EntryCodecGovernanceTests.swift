import Ledger
import SeededRandom
import Testing

/// What governs a book as a shard keeps it, and bytes that nobody wrote.
@Suite struct EntryCodecGovernanceTests {
    /// From nothing set to everything set.
    static let samples: [Governance] = {
        let plain = Governance()
        var zone = Governance()
        zone.apply(
            .subscription(nil, zone: "Europe/Berlin", hasSignedUp: false, hasTried: true), at: start)
        var switched = zone
        switched.apply(.aiEnabled(false), at: start.advanced(microseconds: 1))
        var full = switched
        full.apply(.quality(feature: "chat", .best), at: start)
        full.apply(.quality(feature: "bild", .cheap), at: start)
        full.apply(
            .subscription(EntryCodecTests.full, zone: "UTC", hasSignedUp: true, hasTried: true), at: start)
        let span = LimitWindows.Span(start: start, end: start.advanced(microseconds: day))
        full.apply(
            .limits(EntryCodecTests.limits, LimitWindows(day: span, week: span, month: span)),
            at: start.advanced(microseconds: 5 * second))
        var counted = full
        counted.limits.add(consumed: 9, held: 0, isRefund: false, feature: "image", member: "bob")
        counted.limits.noteWouldRefuse([0, 2])
        return [plain, zone, switched, full, counted]
    }()

    /// Of the last sample, in version 2.
    private let golden = """
        0200020462696c64010463686174030407035554430370726f020a143f030480ade2041c03feffffffffffffffff010102020001
        8084af5fd00f80c2d72f061c8092f4010580bfd606011f0f80ccc57180a8a7028092f401ffffffff0f0466726565040304010101
        000002a00102d00f1c020202000004636861740001feffffffffffffffff01feffffffffffffffff0180a0d9e61d030301036164
        6100010000000204030103626f6205696d61676501020104edffffffffffffffff01ffffffffffffffffff010780ccc571808c15
        80ccc571808c1580ccc571808c150194ccc571
        """

    private func bytes(_ governance: Governance) -> [UInt8] {
        var bytes: [UInt8] = []
        EntryCodec.encode(governance, into: &bytes)
        return bytes
    }

    private func decode(_ bytes: [UInt8]) throws(CodecError) -> Governance {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(CodecError) in try EntryCodec.decodeGovernance(buffer) }
        }
        return try result.get()
    }

    @Test(arguments: samples.indices)
    func `what governs a book comes back as it was`(index: Int) throws {
        #expect(try decode(bytes(Self.samples[index])) == Self.samples[index])
        #expect(Self.samples[index].isPlain == (index == 0))
    }

    @Test func `what is held against limits is not kept`() throws {
        let kept = try #require(Self.samples.last)
        var held = kept
        held.limits.add(consumed: 0, held: 7, isRefund: false, feature: "image", member: "bob")
        #expect(held != kept)
        #expect(bytes(held) == bytes(kept))
    }

    @Test func `the bytes are those of version 3, which version 2 had too`() throws {
        let sample = try #require(Self.samples.last)
        let hex = golden.filter { $0 != "\n" }
        #expect(bytes(sample).hex == "03" + hex.dropFirst(2))
        #expect(try decode([UInt8](hex: hex)) == sample)
    }

    @Test func `what is cut off, too long or of another version is an error`() {
        for sample in Self.samples {
            let whole = bytes(sample)
            for length in 0..<whole.count {
                #expect(throws: CodecError.self) { try decode(Array(whole.prefix(length))) }
            }
            #expect(throws: CodecError.trailing) { try decode(whole + [0]) }
            #expect(throws: CodecError.unknownVersion(1)) { try decode([1] + whole.dropFirst()) }
        }
    }

    @Test func `no change of the bytes does harm`() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededRandom(seed: seed)
        for sample in Self.samples {
            let whole = bytes(sample)
            for _ in 0..<2_000 {
                var changed = whole
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    changed[Int.random(in: changed.indices, using: &generator)] = UInt8(
                        truncatingIfNeeded: generator.next())
                }
                guard let governance = try? decode(changed) else { continue }
                #expect(try! decode(bytes(governance)) == governance, "seed \(seed)")
            }
        }
    }

    @Test func `bytes that nobody wrote do no harm`() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<30_000 {
            // Small numbers are likelier to be counts, heads and lengths that lead on.
            let isSmall = generator.chance(50)
            var garbage = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                UInt8(truncatingIfNeeded: isSmall ? generator.next() % 20 : generator.next())
            }
            garbage.insert(3, at: 0)
            garbage.withUnsafeBytes { bytes in
                if let entry = try? EntryCodec.decode(bytes) {
                    var again: [UInt8] = []
                    EntryCodec.encode(entry, into: &again)
                    #expect(again.withUnsafeBytes { try! EntryCodec.decode($0) } == entry, "seed \(seed)")
                }
                _ = try? EntryCodec.decodeRecord(bytes)
                _ = try? EntryCodec.decodeGovernance(bytes)
                guard var views = try? EntryViews(ofRecord: bytes) else { return }
                while let view = try? views.next() { view.forEachMove { _ in } }
            }
        }
    }
}
