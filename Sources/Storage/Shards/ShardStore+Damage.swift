import Ledger
import Locks

/// What happens to a tenant's file beside taking records and giving reports.
package enum ShardNotice: Sendable {
    /// Its bytes are wrong: it has another name from now on, and nobody is served from it.
    case setAside(TenantID, file: String, StorageError)
    /// A file that was restored has taken its place.
    case adopted(TenantID, file: String)
}

/// A shard whose file was set aside by this process.
struct SetAside: Sendable {
    /// The last journal record that it held, as far as that is known: what takes its place must hold it too.
    let needed: UInt64
    let error: StorageError
}

/// How the files beside a tenant's shard are named.
struct ShardNames: Sendable {
    let file: String

    /// What a restore leaves for the server to adopt.
    var restored: String { file + ".restored" }
    /// What a restore is making.
    var healing: String { file + ".healing" }

    func setAside(_ number: Int) -> String { "\(file).damaged-\(number)" }

    /// What follows the tenant's name in that of a file that was set aside, up to its number.
    static let setAsideSuffix = ShardStore.suffix + ".damaged-"

    /// The files that were set aside, the newest first.
    func setAside(_ fileSystem: any FileSystem) throws(StorageError) -> [String] {
        try numbers(fileSystem).reversed().map { setAside($0) }
    }

    /// Gives the file, which is there, another name.
    ///
    /// - Returns: that name.
    func setAsideFile(_ fileSystem: any FileSystem) throws(StorageError) -> String {
        let aside = setAside((try numbers(fileSystem).last ?? 0) + 1)
        // The file first: without it nobody takes what is left for a shard.
        try fileSystem.rename(file, to: aside)
        try moveLog(to: aside, fileSystem)
        try fileSystem.syncDirectory(folder)
        return aside
    }

    /// A log that stayed behind would be taken for that of the next file.
    func moveLog(to aside: String?, _ fileSystem: any FileSystem) throws(StorageError) {
        for part in ["-wal", "-shm", "-journal"] where try fileSystem.exists(file + part) {
            if let aside, try !fileSystem.exists(aside + part) {
                try fileSystem.rename(file + part, to: aside + part)
            } else {
                try fileSystem.remove(file + part)
            }
        }
    }

    var folder: String { String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)]) }

    private func numbers(_ fileSystem: any FileSystem) throws(StorageError) -> [Int] {
        guard try fileSystem.exists(folder) else { return [] }
        let prefix = file.dropFirst(folder.count + 1) + ".damaged-"
        return try fileSystem.list(folder).compactMap { name in
            name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
        }.sorted()
    }
}

extension ShardStore {
    /// The file's bytes are not what was written: it gets another name, and the tenant is refused until a restored file takes
    /// its place. The journal keeps what the shard did not hold durably, as nothing more is listed of it.
    ///
    /// - Returns: the error to be thrown in the place of the one that showed it.
    func setAside(_ tenant: TenantID, in slot: ShardPool.Slot, _ error: StorageError) -> StorageError {
        let names = ShardNames(file: file(of: tenant))
        guard error.isDamage(of: names.file) else { return error }
        slot.shard?.close()
        slot.shard = nil
        do throws(StorageError) {
            let listed = try manifest.position(of: tenant)
            let aside = try names.setAsideFile(fileSystem)
            let damage = StorageError.setAside(tenant: tenant.description, path: aside, reason: error.reason)
            unsynced.withLock { unsynced in
                let needed = max(listed ?? 0, unsynced.extents.removeValue(forKey: tenant)?.position ?? 0)
                unsynced.setAside[tenant] = SetAside(needed: needed, error: damage)
            }
            logs.distrust(tenant)
            notice(.setAside(tenant, file: aside, damage))
            return damage
        } catch {
            // The disk takes no new names: the next one who looks finds the damage again.
            return error
        }
    }

    /// The tenant's file is not there though it should be: it is refused, unless a restored one waits to take its place.
    func replaceMissing(_ tenant: TenantID, listed: UInt64?) throws(StorageError) {
        let names = ShardNames(file: file(of: tenant))
        let (aside, applied) = unsynced.withLock { ($0.setAside[tenant], $0.extents[tenant]?.position ?? 0) }
        let needed = max(aside?.needed ?? 0, listed ?? 0, applied)
        let before = try names.setAside(fileSystem).first
        guard try fileSystem.exists(names.restored) else {
            if let aside { throw aside.error }
            if let before {
                throw .setAside(tenant: tenant.description, path: before, reason: "it was found damaged")
            }
            throw .lostShard(path: names.file, listedThrough: needed)
        }
        let extent = try extent(ofFile: names.restored, tenant)
        guard extent.position >= needed else {
            throw .misplaced(
                path: names.restored,
                reason: "it ends at record \(extent.position), and the book had the journal's records up to \(needed)")
        }
        try names.moveLog(to: before, fileSystem)
        try fileSystem.rename(names.restored, to: names.file)
        try fileSystem.syncDirectory(names.folder)
        try manifest.list([tenant: extent])
        unsynced.withLock { unsynced in
            unsynced.setAside[tenant] = nil
            unsynced.extents[tenant] = nil
        }
        notice(.adopted(tenant, file: names.file))
    }

    private func extent(ofFile path: String, _ tenant: TenantID) throws(StorageError) -> ShardExtent {
        let database = try Database(path: path, .readOnly, setup: ShardSchema.readOnlySetup, vfs: fileSystem.sqliteVFS)
        defer {
            database.close()
            for part in ["-wal", "-shm"] { fileSystem.discard(path + part) }
        }
        guard let meta = try ShardMeta.read(from: database, tenant: tenant) else {
            throw .misplaced(path: path, reason: "it has no book")
        }
        return ShardExtent(meta)
    }

    /// Tenants whose files were set aside by this process and not replaced yet.
    package var setAsideCount: Int { unsynced.withLock { $0.setAside.count } }
}

extension StorageError {
    /// The bytes of this file are wrong; not where another file, an older one or one of another build stands in its place.
    fileprivate func isDamage(of path: String) -> Bool {
        switch self {
        case .corrupt(path, _): true
        case .sqlite(let code, _, _, path): Self.damagedBytes.contains(code & 0xFF)
        default: false
        }
    }

    /// Pages that make no sense, and a file of another kind.
    private static let damagedBytes: Set<Int32> = [11, 26]

    /// What is wrong, without the file's name and what to do about it.
    var reason: String {
        switch self {
        case .corrupt(_, let reason), .misplaced(_, let reason): reason
        case .sqlite(let code, let message, _, _): "SQLite error \(code) (\(message))"
        default: description
        }
    }
}

extension StorageError {
    static func lostShard(path: String, listedThrough position: UInt64) -> StorageError {
        // Of a book that was restored, or of which the manifest was lost, no record is known.
        .misplaced(
            path: path,
            reason: "the file is missing" + (position == 0 ? "" : "; it held the journal's records up to \(position)"))
    }

    static func oldShard(path: String, position: UInt64, listedThrough listed: UInt64) -> StorageError {
        .misplaced(
            path: path,
            reason:
                "it ends at record \(position), but held the journal's records up to \(listed): it is an older copy, or "
                + "lost writes")
    }
}
