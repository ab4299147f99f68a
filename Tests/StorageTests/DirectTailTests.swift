import Glibc
import SeededRandom
import Testing

@testable import Storage

/// What is appended to a file past the page cache, and in between through it.
@Suite struct DirectTailTests {
    private static let seeds = propertySeeds(0..<8)
    private let directory = TemporaryDirectory()

    private static func bytes(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
        let first = UInt8.random(in: 1...255, using: &random)
        return (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7 + $0 / 251) &+ first }
    }

    @Test(arguments: seeds) func whatWasAppendedCanBeReadAndNothingBeforeIsTouched(seed: UInt64) throws {
        print("TOLLGATE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        let path = directory.path + "/file-\(seed)"
        let file = try LocalFileSystem().open(path, .create)
        var expected: [UInt8] = []
        while expected.count < 6 << 20 {
            // Of every size that matters: less than a block, whole blocks, and more than is written in one go.
            let most = [40, 4_096, 70_000, 2 * StorageLimits.directBytes].randomElement(using: &random)!
            let head = Self.bytes(Int.random(in: 0...64, using: &random), &random)
            let isWhole = Int.random(in: 0..<4, using: &random) == 0
            let count = Int.random(in: 0...most, using: &random)
            let ragged = (expected.count + head.count + count) % DirectTail.blockBytes
            let body = Self.bytes(isWhole ? count + (DirectTail.blockBytes - ragged) : count, &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: try file.write(head + body, at: Int64(expected.count))
            case 1:
                // Again from where it failed, say, with other bytes.
                try file.append(Self.bytes(20_000, &random), at: Int64(expected.count))
                try file.append(head, body, at: Int64(expected.count))
            default: try file.append(head, body, at: Int64(expected.count))
            }
            expected += head + body
            if Int.random(in: 0..<8, using: &random) == 0 {
                #expect(Array(try file.readAll().prefix(expected.count)) == expected, "TOLLGATE_SEED=\(seed)")
            }
        }
        file.close()
        let found = try LocalFileSystem().open(path, .readOnly).readAll()
        #expect(Array(found.prefix(expected.count)) == expected, "TOLLGATE_SEED=\(seed)")
    }

    @Test func whatStandsBehindTheBlockStays() throws {
        let file = try LocalFileSystem().open(directory.path + "/file", .create)
        try file.write([UInt8](repeating: 7, count: 3 * DirectTail.blockBytes), at: 0)
        try file.append([1, 2], [3], at: 10)
        let found = try file.readAll()
        #expect(found.count == 3 * DirectTail.blockBytes)
        #expect(Array(found[..<14]) == [UInt8](repeating: 7, count: 10) + [1, 2, 3, 0])
        #expect(found[DirectTail.blockBytes...].allSatisfy { $0 == 7 })
    }

    /// A device of characters takes no `O_DIRECT`; what this one says comes from a write through the cache.
    @Test func whatCannotBeWrittenPastTheCacheIsWrittenThroughIt() throws {
        let file = try LocalFileSystem().open("/dev/full", .existing)
        let error = #expect(throws: StorageError.self) { try file.append([1], at: 0) }
        guard case .system(_, "/dev/full", ENOSPC) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
