import SeededRandom

/// The bytes of a file: as readers see them, and what of them a power cut may take back.
///
/// Guarded by the disk's lock.
final class Node {
    static let sectorBytes = 512
    /// Older contents of a sector that are kept until a sync; what came between counts as never written back.
    private static let maxVersions: UInt8 = 3

    private(set) var bytes: [UInt8] = []
    /// The length that the disk has.
    private var durableCount = 0
    /// The least length that the file was cut to since the last sync. A cut is one change of the file system's own books: what is
    /// behind it is all as it was, or gone.
    private var cutCount = Int.max
    /// Bytes that were reserved.
    var reserved = 0
    /// Contents of sectors before they were written since the last sync, in the order of the writes. The first of a sector is what the disk has.
    private var keptSectors: [Int] = []
    private var keptBytes: [UInt8] = []
    /// By sector, how many of those there are.
    private var versions: [UInt8] = []
    /// What the disk has of sectors that a failed sync dropped, and that nobody has written since.
    private var dropped: [Int: [UInt8]] = [:]

    /// Who has the lock of `File.lock`.
    var lockOwner: ObjectIdentifier?
    var sqliteLocks = SQLiteLocks()
    /// Of the connections to a file with a write-ahead log; gone with the last of them.
    var sharedMemory: SharedMemory?

    init() {}

    /// A power cut takes nothing back.
    var isDurable: Bool {
        durableCount == bytes.count && cutCount == .max && keptSectors.isEmpty && (dropped.isEmpty || bytes.isEmpty)
    }

    /// Room that it takes up.
    var charge: Int { max(bytes.count, reserved) }

    func copy() -> Node {
        let copy = Node()
        (copy.bytes, copy.durableCount, copy.reserved) = (bytes, durableCount, reserved)
        (copy.keptSectors, copy.keptBytes, copy.versions, copy.dropped) = (keptSectors, keptBytes, versions, dropped)
        return copy
    }

    // MARK: - Changing

    func write(_ new: UnsafeRawBufferPointer, at offset: Int) {
        if new.isEmpty { return }
        keep(offset..<offset + new.count)
        grow(to: offset + new.count)
        bytes.withUnsafeMutableBytes { UnsafeMutableRawBufferPointer(rebasing: $0[offset...]).copyMemory(from: new) }
    }

    func truncate(to count: Int) {
        grow(to: count)
        guard count < bytes.count else { return }
        keep(count..<bytes.count)
        cutCount = min(cutCount, count)
        bytes.removeLast(bytes.count - count)
        reserved = min(reserved, count)
    }

    private func grow(to count: Int) {
        if count > bytes.count { bytes += [UInt8](repeating: 0, count: count - bytes.count) }
    }

    /// Notes what these sectors hold before they change.
    private func keep(_ range: Range<Int>) {
        let sectors = range.lowerBound / Self.sectorBytes...(range.upperBound - 1) / Self.sectorBytes
        if versions.count <= sectors.upperBound {
            versions += [UInt8](repeating: 0, count: sectors.upperBound + 1 - versions.count)
        }
        for sector in sectors where versions[sector] < Self.maxVersions {
            keptSectors.append(sector)
            if let old = dropped.removeValue(forKey: sector) {
                keptBytes += old
            } else {
                appendContent(of: sector, to: &keptBytes)
            }
            versions[sector] += 1
        }
    }

    /// The bytes of a sector, zeros where the file ends before.
    private func appendContent(of sector: Int, to target: inout [UInt8]) {
        let start = min(sector * Self.sectorBytes, bytes.count)
        let end = min(start + Self.sectorBytes, bytes.count)
        target += bytes[start..<end]
        if end - start < Self.sectorBytes {
            target += [UInt8](repeating: 0, count: Self.sectorBytes - (end - start))
        }
    }

    // MARK: - Durability

    var isDirty: Bool { !keptSectors.isEmpty || durableCount != bytes.count }

    func sync() {
        durableCount = bytes.count
        forgetVersions()
    }

    private func forgetVersions() {
        cutCount = .max
        for sector in keptSectors { versions[sector] = 0 }
        keptSectors.removeAll(keepingCapacity: keptBytes.count < 1 << 20)
        keptBytes.removeAll(keepingCapacity: keptBytes.count < 1 << 20)
    }

    /// The kernel says once that it could not write, and takes the pages for clean from then on. Some may have reached the disk.
    func failSync(_ random: inout SeededRandom) {
        let dropsAll = Bool.random(using: &random)
        for (place, sector) in keptSectors.enumerated() where dropped[sector] == nil {
            guard versions[sector] > 0 else { continue }
            versions[sector] = 0
            if dropsAll || Bool.random(using: &random) { dropped[sector] = Array(kept(place)) }
        }
        forgetVersions()
    }

    /// A crash in the middle of a sync: some of the sectors have reached the disk.
    func syncSome(_ random: inout SeededRandom) {
        lose(.some, &random, keepsReading: true)
    }

    func lose(_ loss: SimulatedDisk.Loss, _ random: inout SeededRandom, keepsReading: Bool = false) {
        let newest = bytes
        grow(to: durableCount)
        for (sector, content) in dropped.sorted(by: { $0.key < $1.key }) { put(content[...], into: sector) }
        let isCutLost = cutCount < .max && loss == .some && Bool.random(using: &random)
        if loss != .nothing { loseSectors(loss, &random, isCutLost: isCutLost) }
        switch loss {
        case .all: cut(to: durableCount)
        case .nothing: cut(to: newest.count)
        case .some:
            let isOld = cutCount < .max ? isCutLost : durableCount != newest.count && Bool.random(using: &random)
            cut(to: isOld ? durableCount : newest.count)
        }
        dropped = [:]
        reserved = min(reserved, bytes.count)
        sync()
        // What was read before is read again until the power goes.
        if keepsReading { overlay(newest) }
    }

    /// Gives back what readers see, as written and not synced.
    private func overlay(_ newest: [UInt8]) {
        newest.withUnsafeBytes { write($0, at: 0) }
        truncate(to: newest.count)
    }

    private func cut(to count: Int) {
        if count < bytes.count { bytes.removeLast(bytes.count - count) }
        grow(to: count)
    }

    private func loseSectors(_ loss: SimulatedDisk.Loss, _ random: inout SeededRandom, isCutLost: Bool) {
        var places: [Int: [Int]] = [:]
        var order: [Int] = []
        for (place, sector) in keptSectors.enumerated() {
            if places[sector] == nil { order.append(sector) }
            places[sector, default: []].append(place)
        }
        for sector in order {
            let versions = places[sector]!
            let isBehindCut = (sector + 1) * Self.sectorBytes > cutCount
            if loss == .some, isBehindCut, !isCutLost {
                // Whatever was written there later may be lost; what was there before is gone.
                if Bool.random(using: &random) { put(Array(repeating: 0, count: Self.sectorBytes)[...], into: sector) }
                continue
            }
            guard loss == .some, !isBehindCut else {
                put(kept(versions[0]), into: sector)
                continue
            }
            let choice = Int.random(in: 0...versions.count, using: &random)
            guard choice < versions.count else { continue }
            var content = kept(versions[choice])
            if Int.random(in: 0..<4, using: &random) == 0 {
                // Torn: its first bytes are those of a later write.
                var later: [UInt8] = []
                appendContent(of: sector, to: &later)
                let count = Int.random(in: 1..<Self.sectorBytes, using: &random)
                content = (later[..<count] + content.dropFirst(count))[...]
            }
            put(content, into: sector)
        }
    }

    private func kept(_ place: Int) -> [UInt8].SubSequence {
        keptBytes[place * Self.sectorBytes..<(place + 1) * Self.sectorBytes]
    }

    private func put(_ content: [UInt8].SubSequence, into sector: Int) {
        let start = sector * Self.sectorBytes
        grow(to: start + Self.sectorBytes)
        bytes.replaceSubrange(start..<start + Self.sectorBytes, with: content)
    }

    // MARK: - Rot

    func overwrite(_ new: [UInt8]) {
        bytes = new
        dropped = [:]
        sync()
    }

    /// False where the bit is not at rest.
    func flip(bit: Int) -> Bool {
        let sector = bit / 8 / Self.sectorBytes
        guard bit / 8 < bytes.count, sector >= versions.count || versions[sector] == 0, dropped[sector] == nil else {
            return false
        }
        bytes[bit / 8] ^= 1 << (bit % 8)
        return true
    }
}
