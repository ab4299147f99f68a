import Glibc
import SimulatedDisk
import Storage
import Testing

@Suite struct JournalTests {
    static let segmentBytes: Int64 = 512
    let disk = SimulatedDisk(directories: ["/j"])

    func open(segmentBytes: Int64 = Self.segmentBytes) throws -> LocalJournal {
        return try LocalJournal(
            directory: "/j", fileSystem: disk, segmentBytes: segmentBytes, spares: .never,
            randomSalt: { 0x1122_3344_5566_7788 })
    }

    static func batch(_ number: Int, records: Int = 2, bytes: Int = 30) -> [(tenant: TenantID, record: [UInt8])] {
        (0..<records).map { index in
            (TenantID("tenant-\(index)")!, [UInt8(number & 0xFF), UInt8(index)] + Array(repeating: 0xAB, count: bytes))
        }
    }

    @Test func bytesOfASegmentAreThese() throws {
        let journal = try open()
        try journal.append([("a", [1, 2, 3]), ("bc", [])])
        let bytes = try #require(disk.bytes("/j/00000000000000000001.seg"))
        let expected =
            "54474a4f55524e31" + "0100000000000000" + "0100000000000000" + "8877665544332211"
            + String(repeating: "00", count: 28) + "d8143bff"
            + "8877665544332211" + "0100000000000000" + "02000000" + "0c000000" + "d8143bff" + "8ee76a4e" + "00000000"
            + "d361ce2e" + "0161" + "8300" + "010203" + "026263" + "8000"
        #expect(hex(bytes.prefix(expected.count / 2)) == expected)
        #expect(bytes.count == Int(Self.segmentBytes))
        #expect(bytes.dropFirst(expected.count / 2).allSatisfy { $0 == 0 })
    }

    @Test func recordsComeBackInOrderAcrossSegmentsAndRestarts() throws {
        var expected: [Replayed] = []
        var journal = try open()
        for number in 0..<20 {
            expected += try journal.append(Self.batch(number, records: number % 4 + 1, bytes: number * 3))
            if number % 7 == 6 {
                journal.close()
                journal = try open()
            }
            #expect(journal.durablePosition == expected.last!.position)
        }
        #expect(try journal.records() == expected)
        for position in [0, 1, 7, 8, UInt64(expected.count) - 1, UInt64(expected.count)] {
            #expect(try journal.records(after: position) == Array(expected.dropFirst(Int(position))))
        }
        #expect(try disk.list("/j").count > 3)
    }

    @Test(arguments: [100, 16_383, 16_384, 300_000])
    func aBatchLargerThanASegmentGetsOneOfItsSize(bytes: Int) throws {
        let journal = try open()
        var expected = try journal.append(Self.batch(1))
        expected += try journal.append([("big", Array(repeating: 7, count: bytes))])
        expected += try journal.append(Self.batch(2))
        #expect(try journal.records() == expected)
        #expect(try open().records() == expected)
    }

    @Test func aTornTailIsCutWhereverItIsTorn() throws {
        var journal = try open(segmentBytes: 1_024)
        var kept = try journal.append(Self.batch(1))
        kept += try journal.append(Self.batch(2))
        let start = Int(journal.byteCount)
        try journal.append(Self.batch(3))
        let end = Int(journal.byteCount)
        journal.close()
        let path = "/j/00000000000000000001.seg"
        let whole = try #require(disk.bytes(path))
        for offset in start..<end {
            for filler: UInt8 in [0, 0xFF] where whole[offset] != filler {
                var torn = whole
                torn.replaceSubrange(offset..<end, with: repeatElement(filler, count: end - offset))
                disk.overwrite(path, torn)
                journal = try open(segmentBytes: 1_024)
                #expect(try journal.records() == kept)
                let appended = try journal.append(Self.batch(4, records: 1))
                #expect(try open().records() == kept + appended)
            }
        }
    }

    @Test func noFlippedBitPassesForARecord() throws {
        let journal = try open(segmentBytes: 1_024)
        var batches: [[Replayed]] = []
        for number in 1...3 { batches.append(try journal.append(Self.batch(number, records: 1))) }
        let used = Int(journal.byteCount)
        let lastStart = used - (used - 64) / 3
        journal.close()
        let path = "/j/00000000000000000001.seg"
        let whole = try #require(disk.bytes(path))
        for offset in 0..<used {
            var bent = whole
            bent[offset] ^= 1 << UInt8(offset % 8)
            disk.overwrite(path, bent)
            if offset >= lastStart {
                // The last batch may have been torn: it was never acknowledged or it is cut, but it is never half there.
                #expect(try open().records() == batches[0] + batches[1])
            } else {
                #expect { try open() } throws: { ($0 as? StorageError)?.isCorruption == true }
            }
        }
    }

    @Test func aMissingSegmentIsNoticed() throws {
        let journal = try open()
        for number in 0..<12 { try journal.append(Self.batch(number)) }
        let segments = try disk.list("/j")
        #expect(segments.count >= 4)
        try disk.remove("/j/" + segments[1])
        #expect { try open() } throws: { ($0 as? StorageError)?.isCorruption == true }
    }

    @Test func damageInAnOlderSegmentIsNoticed() throws {
        let journal = try open()
        for number in 0..<12 { try journal.append(Self.batch(number)) }
        let path = "/j/" + (try disk.list("/j")[0])
        var bytes = try #require(disk.bytes(path))
        bytes[120] ^= 1
        disk.overwrite(path, bytes)
        #expect { try open() } throws: { error in
            "\(error)".contains(path) && (error as? StorageError)?.isCorruption == true
        }
    }

    @Test func trimForgetsWholeSegmentsAndKeepsTheirPositions() throws {
        let journal = try open()
        var expected: [Replayed] = []
        for number in 0..<12 { expected += try journal.append(Self.batch(number)) }
        let before = journal.byteCount
        for position in [1, 3, 10, 24, UInt64(100)] {
            try journal.trim(through: position)
            #expect(journal.firstPosition <= position + 1)
            let kept = expected.filter { $0.position >= journal.firstPosition }
            #expect(try journal.records() == kept)
            #expect(try open().records() == kept)
        }
        #expect(journal.byteCount < before)
        let reopened = try open()
        #expect(reopened.durablePosition == 24)
        try reopened.append(Self.batch(13))
        #expect(try open().durablePosition == 26)
    }

    @Test func trimmedSegmentsAreUsedAgainAndTheirOldBytesNeverPass() throws {
        let directory = TemporaryDirectory()
        var salt: UInt64 = 0
        let path = directory.path
        func open() throws -> LocalJournal {
            salt += 1
            let mine = salt << 32
            return try LocalJournal(
                directory: path, segmentBytes: 4_096, randomSalt: { mine + .random(in: 0..<1 << 32) })
        }
        var journal = try open()
        var expected: [Replayed] = []
        for number in 0..<200 {
            expected += try journal.append(Self.batch(number, records: 1, bytes: number * 7 % 500))
            if number % 10 == 9 { try journal.trim(through: journal.durablePosition - 3) }
            if number % 33 == 32 {
                journal.close()
                journal = try open()
            }
        }
        let kept = expected.filter { $0.position >= journal.firstPosition }
        #expect(kept.count < 100)
        #expect(try journal.records() == kept)
        journal.close()
        #expect(try LocalFileSystem().list(path).count <= 4)
    }

    @Test func afterAFullDiskTheSamePositionsAreUsedAgain() throws {
        let journal = try open()
        var expected = try journal.append(Self.batch(1))
        disk.fail(atCall: 1, .forGood(errno: ENOSPC))
        for number in 2...4 {
            #expect { try journal.append(Self.batch(number)) } throws: { ($0 as? StorageError)?.isDiskFull == true }
            #expect(journal.durablePosition == 2)
            #expect(try journal.records() == expected)
        }
        #expect(throws: StorageError.self) { try journal.append(JournalBatch(first: 3)) }
        disk.repair()
        try journal.append(JournalBatch(first: 3))
        expected += try journal.append(Self.batch(5))
        #expect(try journal.records() == expected)
        #expect(try open().records() == expected)
    }
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
