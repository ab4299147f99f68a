import CSQLite
import Glibc
import Locks
import SeededRandom

/// The SQLite VFS of one disk, registered for as long as this object lives.
///
/// As SQLite's own VFS for Unix it says that bytes which nobody wrote keep what they had (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`),
/// which holds on this disk, and makes the name of a new log durable with the log's first sync.
///
/// `@unchecked Sendable`: it never changes between `init` and `deinit`.
final class RegisteredVFS: @unchecked Sendable {
    let name: String
    private let vfs: UnsafeMutablePointer<sqlite3_vfs>
    private let cName: UnsafeMutablePointer<CChar>

    private static let count = Protected(0)

    init(of disk: SimulatedDisk) {
        let number = Self.count.withLock { count in
            count += 1
            return count
        }
        name = "simulated-disk-\(number)"
        let characters = Array(name.utf8CString)
        cName = .allocate(capacity: characters.count)
        cName.initialize(from: characters, count: characters.count)
        vfs = .allocate(capacity: 1)
        vfs.initialize(to: sqlite3_vfs())
        vfs.pointee.iVersion = 2
        vfs.pointee.szOsFile = Int32(MemoryLayout<SQLiteFile>.stride)
        vfs.pointee.mxPathname = 512
        vfs.pointee.zName = UnsafePointer(cName)
        // The disk owns this object.
        vfs.pointee.pAppData = Unmanaged.passUnretained(disk).toOpaque()
        vfs.pointee.xOpen = vfsOpen
        vfs.pointee.xDelete = vfsDelete
        vfs.pointee.xAccess = vfsAccess
        vfs.pointee.xFullPathname = vfsFullPathname
        vfs.pointee.xRandomness = vfsRandomness
        vfs.pointee.xSleep = vfsSleep
        vfs.pointee.xCurrentTime = vfsCurrentTime
        vfs.pointee.xGetLastError = vfsLastError
        vfs.pointee.xCurrentTimeInt64 = vfsCurrentTimeInt64
        let code = sqlite3_vfs_register(vfs, 0)
        precondition(code == SQLITE_OK, "a VFS can be registered")
    }

    deinit {
        sqlite3_vfs_unregister(vfs)
        vfs.deallocate()
        cName.deallocate()
    }
}

/// What SQLite has room for in each of its open files.
struct SQLiteFile {
    var base: sqlite3_file
    var open: Unmanaged<OpenFile>?
}

private func disk(_ vfs: UnsafeMutablePointer<sqlite3_vfs>?) -> SimulatedDisk {
    Unmanaged<SimulatedDisk>.fromOpaque(vfs!.pointee.pAppData).takeUnretainedValue()
}

private let vfsOpen:
    @convention(c) (
        UnsafeMutablePointer<sqlite3_vfs>?, UnsafePointer<CChar>?, UnsafeMutablePointer<sqlite3_file>?, Int32,
        UnsafeMutablePointer<Int32>?
    ) -> Int32 = { vfs, name, pointer, flags, outFlags in
        let file = UnsafeMutableRawPointer(pointer!).assumingMemoryBound(to: SQLiteFile.self)
        // Without methods SQLite does not close what did not open.
        file.initialize(to: SQLiteFile(base: sqlite3_file(pMethods: nil), open: nil))
        return sqliteResult(SQLITE_CANTOPEN) { () throws(Failure) in
            let (open, _) = try disk(vfs).openFile(
                name.map { String(cString: $0) }, isReadOnly: flags & SQLITE_OPEN_READONLY != 0,
                makes: flags & SQLITE_OPEN_CREATE != 0, isNew: flags & SQLITE_OPEN_EXCLUSIVE != 0)
            let named = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL
            if flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL) != 0 { seedSalts(disk(vfs)) }
            open.syncsName = flags & SQLITE_OPEN_CREATE != 0 && flags & named != 0
            file.pointee.open = .passRetained(open)
            file.pointee.base.pMethods = sqliteFileMethods
            outFlags?.pointee = flags
        }
    }

/// SQLite salts its logs with random numbers of the whole process, which others draw from too: they begin anew here.
private func seedSalts(_ disk: SimulatedDisk) {
    tollgate_sqlite_seed_randomness(disk.lock.locked { UInt32(truncatingIfNeeded: disk.state.random.next()) | 1 })
}

private let vfsDelete: @convention(c) (UnsafeMutablePointer<sqlite3_vfs>?, UnsafePointer<CChar>?, Int32) -> Int32 = {
    vfs, name, syncsDirectory in
    let path = SimulatedDisk.normal(String(cString: name!))
    let disk = disk(vfs)
    do throws(Failure) {
        try disk.unlink(path)
    } catch {
        return error.errno == ENOENT ? ioError(23) : ioError(10)
    }
    guard syncsDirectory != 0 else { return SQLITE_OK }
    return sqliteResult(ioError(5)) { () throws(Failure) in
        try disk.synchronizeDirectory(Names.parent(of: path))
    }
}

private let vfsAccess:
    @convention(c) (
        UnsafeMutablePointer<sqlite3_vfs>?, UnsafePointer<CChar>?, Int32, UnsafeMutablePointer<Int32>?
    ) -> Int32 = { vfs, name, flags, found in
        sqliteResult(ioError(13)) { () throws(Failure) in
            let (isThere, isEmpty) = try disk(vfs).lookFor(SimulatedDisk.normal(String(cString: name!)))
            // SQLite's own VFS takes an empty file for none.
            found?.pointee = isThere && !(flags == SQLITE_ACCESS_EXISTS && isEmpty) ? 1 : 0
        }
    }

private let vfsFullPathname:
    @convention(c) (
        UnsafeMutablePointer<sqlite3_vfs>?, UnsafePointer<CChar>?, Int32, UnsafeMutablePointer<CChar>?
    ) -> Int32 = { _, name, capacity, target in
        let path = SimulatedDisk.normal(String(cString: name!)).utf8CString
        guard path.count <= Int(capacity) else { return SQLITE_CANTOPEN }
        for (place, character) in path.enumerated() { target![place] = character }
        return SQLITE_OK
    }

private let vfsRandomness:
    @convention(c) (UnsafeMutablePointer<sqlite3_vfs>?, Int32, UnsafeMutablePointer<CChar>?) -> Int32 = {
        vfs, count, target in
        let disk = disk(vfs)
        disk.lock.locked {
            for place in 0..<Int(count) { target![place] = CChar(truncatingIfNeeded: disk.state.random.next()) }
        }
        return count
    }

/// Waits hardly at all: who waits for a lock in vain is told so soon.
private let vfsSleep: @convention(c) (UnsafeMutablePointer<sqlite3_vfs>?, Int32) -> Int32 = { _, microseconds in
    usleep(100)
    return microseconds
}

/// 2026-01-01, in days since noon of 4714-11-24 B.C.; the product never asks SQLite for the time.
private let julianDay = 2_461_041.5

private let vfsCurrentTime:
    @convention(c) (UnsafeMutablePointer<sqlite3_vfs>?, UnsafeMutablePointer<Double>?) -> Int32 = { _, time in
        time?.pointee = julianDay
        return SQLITE_OK
    }

private let vfsCurrentTimeInt64:
    @convention(c) (UnsafeMutablePointer<sqlite3_vfs>?, UnsafeMutablePointer<sqlite3_int64>?) -> Int32 = { _, time in
        time?.pointee = Int64(julianDay * 86_400_000)
        return SQLITE_OK
    }

private let vfsLastError:
    @convention(c) (UnsafeMutablePointer<sqlite3_vfs>?, Int32, UnsafeMutablePointer<CChar>?) -> Int32 = { vfs, _, _ in
        let disk = disk(vfs)
        return disk.lock.locked { disk.state.lastErrno }
    }
