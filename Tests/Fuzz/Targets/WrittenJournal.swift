import CLinux
import SimulatedDisk
import Storage

/// A journal that was written by the product, and then damaged.
struct WrittenJournal {
    static let directory = "/journal"

    let disk = SimulatedDisk(directories: [directory])
    private(set) var records: [UInt64: JournalRecord] = [:]
    /// Of each position, its file and where its batch ends there.
    private var places: [UInt64: (file: String, end: Int)] = [:]
    private(set) var isDamaged = false

    static func open(_ disk: SimulatedDisk) throws(StorageError) -> LocalJournal {
        try LocalJournal(
            directory: directory, fileSystem: disk, segmentBytes: 512, spares: .never,
            randomSalt: { 0x1122_3344_5566_7788 })
    }

    static func tenant(_ number: Int) -> TenantID { TenantID("tenant-\(number)")! }

    /// Batches whose numbers and sizes the input says.
    init(_ input: inout FuzzInput) throws {
        let journal = try Self.open(disk)
        var file = ""
        var before: Int64 = 0
        for _ in 0..<Int(input.byte()) % 16 {
            var batch = JournalBatch(first: journal.durablePosition + 1)
            let shape = input.byte()
            for number in 0...Int(shape & 3) {
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: batch.last), count: Int(shape >> 2))
                let tenant = Self.tenant(number)
                let position = batch.add(tenant: tenant) { $0.append(contentsOf: bytes) }
                records[position] = JournalRecord(position: position, tenant: tenant, bytes: bytes)
            }
            let total = journal.byteCount
            try journal.append(batch)
            let last = try disk.list(Self.directory).last { $0.hasSuffix(".seg") } ?? ""
            if last != file { (file, before) = (last, file.isEmpty ? 0 : total) }
            for position in batch.first...batch.last { places[position] = (file, Int(journal.byteCount - before)) }
        }
        journal.close()
    }

    /// Changes bytes, lengths and names as the input says. The positions whose bytes, and all before them, are as they were.
    mutating func damage(_ input: inout FuzzInput) -> [UInt64] {
        var firstChange: [String: Int] = [:]
        // So many that each file can be hit often, and no more than a moment's work.
        for _ in 0..<64 where !input.isEmpty {
            let operation = input.byte()
            let files = disk.files.filter { $0.hasSuffix(".seg") }
            guard !files.isEmpty else { break }
            let path = files[Int(operation >> 3) % files.count]
            let old = disk.bytes(path)!
            let offset = min(input.number() % 600, old.count)
            var new = old
            switch operation & 7 {
            case 0 where offset < old.count: new[offset] = input.byte()
            case 1 where offset < old.count: new[offset] ^= 1 << (input.byte() & 7)
            case 2: new.removeSubrange(offset...)
            case 3:
                let end = min(old.count, offset + Int(input.byte()))
                new.replaceSubrange(offset..<end, with: repeatElement(0, count: end - offset))
            case 4: new.append(contentsOf: repeatElement(input.byte(), count: offset))
            case 5:
                // A piece of another file, or of another place.
                let source = disk.bytes(files[Int(input.byte()) % files.count])!
                let from = min(input.number() % 600, source.count)
                let piece = source[from...].prefix(Int(input.byte()))
                let end = min(old.count, offset + piece.count)
                new.replaceSubrange(offset..<end, with: piece.prefix(end - offset))
            case 6: new = []
            default:
                disk.erase(path)
                firstChange[Self.name(path)] = 0
                isDamaged = true
                continue
            }
            guard new != old else { continue }
            disk.overwrite(path, new)
            isDamaged = true
            let change = zip(old, new).enumerated().first { $1.0 != $1.1 }?.offset ?? min(old.count, new.count)
            let name = Self.name(path)
            firstChange[name] = min(firstChange[name] ?? .max, change)
        }
        // A journal ends where a file that was its last is gone: that its successors were there no file tells.
        let lost = places.values.filter { firstChange[$0.file] != nil }.map(\.file).min() ?? "~"
        return places.filter { _, place in
            place.file < lost || place.file == lost && place.end <= firstChange[place.file]!
        }.map(\.key)
    }

    private static func name(_ path: String) -> String { String(path.dropFirst(directory.count + 1)) }
}

/// A segment whose header and batches say what the input says, with checksums that hold.
struct ForgedSegment {
    let name: String
    private(set) var bytes: [UInt8] = []

    init(_ input: inout FuzzInput) {
        let first = Self.position(&input)
        let digits = String(first)
        name = String(repeating: "0", count: 20 - digits.utf8.count) + digits + ".seg"
        let salt: UInt64 = 7
        append(0x314E_5255_4F4A_4754 as UInt64, first, UInt64(input.byte()), salt)
        bytes.append(contentsOf: repeatElement(0, count: 28))
        var chain = checksum(from: 0)
        append(chain)
        var next = first
        for _ in 0..<Int(input.byte()) % 4 {
            let count = input.byte()
            let payload = Array(input.take(Int(input.byte())))
            let start = bytes.count
            // A batch may say that it holds more than it does.
            let said: UInt32 = count & 0x80 == 0 ? UInt32(count) : UInt32(count) << 24 | 0xFF_FFFF
            append(salt, next)
            append(
                said, UInt32(payload.count), chain, payload.withUnsafeBytes { cl_crc32c(0, $0.baseAddress, $0.count) },
                0)
            chain = checksum(from: start)
            append(chain)
            bytes.append(contentsOf: payload)
            next &+= UInt64(said)
        }
        bytes.append(contentsOf: repeatElement(0, count: Int(input.byte())))
    }

    /// Small numbers, and those at both ends.
    private static func position(_ input: inout FuzzInput) -> UInt64 {
        let number = input.byte()
        return number & 0x80 == 0 ? UInt64(number) : .max - UInt64(number & 0x7F)
    }

    private mutating func append<Word: FixedWidthInteger>(_ words: Word...) {
        for word in words { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
    }

    private func checksum(from start: Int) -> UInt32 {
        bytes[start...].withUnsafeBytes { cl_crc32c(0, $0.baseAddress, $0.count) }
    }
}

enum JournalSeeds {
    static let all: [[UInt8]] = [
        [0, 0], [0, 12] + shapes, [0, 5] + shapes.prefix(5) + [0, 0, 100, 7],
        [0, 5] + shapes.prefix(5) + [1, 1, 0x2C, 3],
        [0, 15] + shapes + shapes.prefix(3) + [7], [0, 15] + shapes + shapes.prefix(3) + [15],
        [0, 12] + shapes + [2, 0, 200], [0, 12] + shapes + [10, 0, 20], [0, 12] + shapes + [5, 0, 64, 0, 0, 104, 80],
        [0, 12] + shapes + [6, 0, 0], [0, 3, 1, 1, 1, 3, 0, 110, 40], [1, 0, 1, 1, 1, 1, 4, 1, 0x61, 0x80, 0, 9],
        [1, 0, 0x80, 1, 1, 1, 0], [1, 0, 0x81, 1, 2, 0xFF, 0, 1, 0], [1, 1, 1, 1, 0, 0, 0x80, 2, 1, 1, 0],
        [1, 0, 0, 1, 1, 1, 4, 1, 0x61, 0x80, 0, 0],
    ]

    private static let shapes: [UInt8] = [40, 81, 3, 0, 122, 200, 77, 255, 9, 33, 64, 128]
}
