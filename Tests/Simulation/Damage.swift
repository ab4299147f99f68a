import SeededRandom
import SimulatedDisk
import Storage

/// What happens to a file of a server that is down.
enum Damage {
    /// One bit of it turns over.
    case flip(String)
    /// The files are gone.
    case loss([String])
    /// The files are what they once were.
    case olderCopy([String: [UInt8]?])

    /// The file that must be named, where something is found.
    var names: [String] {
        switch self {
        case .flip(let path): [path]
        case .loss(let paths): paths
        case .olderCopy(let copy): copy.keys.sorted()
        }
    }

    var kind: String {
        switch self {
        case .flip(let path):
            path.contains("directory.sqlite")
                ? path.hasSuffix("-wal") ? "directory log" : "directory"
                : path.contains("/journal/")
                    ? "segment" : path.contains("manifest") ? "manifest" : path.hasSuffix("-wal") ? "log" : "shard"
        case .loss: "lost shard"
        case .olderCopy: "older shard"
        }
    }

    /// - Returns: false where the disk has nothing that could be damaged so.
    func strike(_ disk: SimulatedDisk) -> Bool {
        switch self {
        case .flip(let path): return disk.flipBit(in: path) != nil
        case .loss(let paths):
            for path in paths { disk.erase(path) }
        case .olderCopy(let copy):
            for (path, bytes) in copy.sorted(by: { $0.key < $1.key }) {
                if let bytes { disk.overwrite(path, bytes) } else { disk.erase(path) }
            }
        }
        return true
    }
}

extension World {
    /// The files of a tenant's book.
    static func files(of tenant: Tenant) -> [String] {
        let file = ShardStore.file(of: tenant.id, in: "/data/shards")
        return [file, file + "-wal", file + "-shm"]
    }

    /// While the server is down something happens to its files, on a copy of its disk: what a server makes of that is looked at,
    /// and the world goes on as if it had not been.
    func maybeDamage() {
        guard failure == nil, records.count > 0, random.chance(profile.damagePercent) else { return }
        keepCopy()
        let copy = disk.copy(seed: random.next())
        guard let (damage, victim) = anyDamage(), damage.strike(copy) else { return }
        count("damages")
        if damage.kind.hasPrefix("directory") {
            let found = drillDirectory(copy, damage)
            return count("damage of a \(damage.kind): \(found)")
        }
        let drill = Drill(self, copy, damage, victim: victim)
        let found = drill.run()
        count("damage of a \(damage.kind): \(found)")
        if let wrong = drill.wrong { fail("after damage of \(damage.names): \(wrong)") }
    }

    /// Keeps a tenant's files as they are now, to be put back some day.
    private func keepCopy() {
        guard let tenant = random.pick(tenants) else { return }
        var copy: [String: [UInt8]?] = [:]
        for path in Self.files(of: tenant) { copy[path] = .some(disk.bytes(path)) }
        copies[tenant.id] = copy
    }

    private func anyDamage() -> (Damage, victim: Tenant?)? {
        guard let tenant = random.pick(tenants) else { return nil }
        let files = Self.files(of: tenant)
        switch random.below(13) {
        case 10..<13: return (.flip(Self.directoryFile + (random.chance(50) ? "" : "-wal")), nil)
        case 0..<4: return (.flip(files[random.chance(70) ? 0 : 1]), tenant)
        case 4..<6:
            // What the last segment ends with cannot be told from a write that was under way.
            let segments = disk.files.filter { $0.hasPrefix("/data/journal/") && $0.hasSuffix(".seg") }.dropLast()
            return random.pick(Array(segments)).map { (.flip($0), nil) }
        case 6: return (.flip("/data/shards/manifest.sqlite"), nil)
        case 7..<9: return (.loss(files), tenant)
        default:
            guard let old = random.pick(copies.keys.sorted()), let copy = copies[old] else { return nil }
            return (.olderCopy(copy), byName[old])
        }
    }
}
