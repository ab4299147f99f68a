import CSQLite
import Glibc
import Locks

/// SQLite's calls on an open file.
nonisolated(unsafe) let sqliteFileMethods: UnsafePointer<sqlite3_io_methods> = {
    let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    methods.initialize(to: sqlite3_io_methods())
    methods.pointee.iVersion = 2
    methods.pointee.xClose = { pointer in
        let file = UnsafeMutableRawPointer(pointer!).assumingMemoryBound(to: SQLiteFile.self)
        file.pointee.open?.takeRetainedValue().close()
        file.pointee.open = nil
        return SQLITE_OK
    }
    methods.pointee.xRead = { pointer, target, count, offset in
        let buffer = UnsafeMutableRawBufferPointer(start: target, count: Int(count))
        do throws(Failure) {
            let read = try open(pointer).read(buffer, at: Int(offset))
            guard read < buffer.count else { return SQLITE_OK }
            UnsafeMutableRawBufferPointer(rebasing: buffer[read...]).initializeMemory(as: UInt8.self, repeating: 0)
            return ioError(2)
        } catch {
            return ioError(1)
        }
    }
    methods.pointee.xWrite = { pointer, bytes, count, offset in
        sqliteResult(ioError(3)) { () throws(Failure) in
            try open(pointer).put(UnsafeRawBufferPointer(start: bytes, count: Int(count)), at: Int(offset))
        }
    }
    methods.pointee.xTruncate = { pointer, count in
        sqliteResult(ioError(6)) { () throws(Failure) in try open(pointer).cut(to: Int(count)) }
    }
    methods.pointee.xSync = { pointer, _ in
        sqliteResult(ioError(4)) { () throws(Failure) in try open(pointer).synchronize() }
    }
    methods.pointee.xFileSize = { pointer, count in
        sqliteResult(ioError(7)) { () throws(Failure) in count?.pointee = Int64(try open(pointer).length()) }
    }
    setLocking(methods)
    methods.pointee.xFileControl = { _, _, _ in SQLITE_NOTFOUND }
    methods.pointee.xSectorSize = { _ in Int32(Node.sectorBytes) }
    methods.pointee.xDeviceCharacteristics = { _ in SQLITE_IOCAP_POWERSAFE_OVERWRITE }
    setSharing(methods)
    return UnsafePointer(methods)
}()

private func open(_ pointer: UnsafeMutablePointer<sqlite3_file>?) -> OpenFile {
    UnsafeMutableRawPointer(pointer!).assumingMemoryBound(to: SQLiteFile.self).pointee.open!.takeUnretainedValue()
}

/// An extended code of `SQLITE_IOERR`.
func ioError(_ extension: Int32) -> Int32 { SQLITE_IOERR | `extension` << 8 }

/// `code` where the call failed for another reason than room.
func sqliteResult(_ code: Int32, _ body: () throws(Failure) -> Void) -> Int32 {
    do throws(Failure) {
        try body()
        return SQLITE_OK
    } catch {
        return error.errno == ENOSPC && code != SQLITE_CANTOPEN ? SQLITE_FULL : code
    }
}

private func setLocking(_ methods: UnsafeMutablePointer<sqlite3_io_methods>) {
    methods.pointee.xLock = { pointer, level in
        let file = open(pointer)
        do throws(Failure) {
            return try file.disk.perform(.lock, file.path, at: Int(level), by: file) { _ in
                file.sqliteLock = file.node.sqliteLocks.raise(
                    to: level, from: file.sqliteLock, by: ObjectIdentifier(file))
                return file.sqliteLock >= level ? SQLITE_OK : SQLITE_BUSY
            }
        } catch {
            return ioError(15)
        }
    }
    methods.pointee.xUnlock = { pointer, level in
        let file = open(pointer)
        file.disk.lock.locked {
            guard file.sqliteLock > level, !file.isAbandoned else { return }
            file.sqliteLock = level
            file.node.sqliteLocks.lower(to: level, by: ObjectIdentifier(file))
        }
        return SQLITE_OK
    }
    methods.pointee.xCheckReservedLock = { pointer, isReserved in
        let file = open(pointer)
        isReserved?.pointee = file.disk.lock.locked { file.node.sqliteLocks.isReserved } ? 1 : 0
        return SQLITE_OK
    }
}

private func setSharing(_ methods: UnsafeMutablePointer<sqlite3_io_methods>) {
    methods.pointee.xShmMap = { pointer, index, byteCount, makes, target in
        sqliteResult(ioError(21)) { () throws(Failure) in
            let region = try open(pointer).region(Int(index), byteCount: Int(byteCount), makes: makes != 0)
            target?.pointee = region
        }
    }
    methods.pointee.xShmLock = { pointer, first, count, flags in
        let mask = UInt8(truncatingIfNeeded: ((1 << count) - 1) << first)
        let isDone = open(pointer).lockShared(
            mask, exclusively: flags & SQLITE_SHM_EXCLUSIVE != 0, isTaken: flags & SQLITE_SHM_LOCK != 0)
        return isDone ? SQLITE_OK : SQLITE_BUSY
    }
    // Taking and letting go of a lock orders memory.
    methods.pointee.xShmBarrier = { pointer in open(pointer).disk.lock.locked {} }
    methods.pointee.xShmUnmap = { pointer, _ in
        let file = open(pointer)
        file.disk.lock.locked {
            if !file.isAbandoned { file.leaveSharedMemory() }
        }
        return SQLITE_OK
    }
}
