import CMemoryRows
import CSQLite
import CSQLiteMemory

#if canImport(Glibc)
    import Glibc
#endif

/// One connection to an SQLite file, used by one thread at a time. Errors carry code, message and SQL, never a bound value.
///
/// `@unchecked Sendable`: its owner guards it.
final class Database: @unchecked Sendable {
    enum Mode {
        case create
        case readWrite
        case readOnly
    }

    let path: String
    private var handle: OpaquePointer?
    private var statements: [String: Statement] = [:]
    /// SQLite's, once a statement reads it.
    private var rowsInMemory: UnsafeMutablePointer<memory_rows>?

    /// Once in the process, and before its first connection. Where another part of the program was earlier it stays as it is.
    static let isConfigured =
        tollgate_sqlite_no_memory_statistics() == SQLITE_OK && sqlite_memory_install() == SQLITE_OK

    /// - Parameter vfs: `FileSystem.sqliteVFS` of the disk that the file is on.
    init(
        path: String, _ mode: Mode, setup: String, vfs: String? = LocalFileSystem().sqliteVFS
    ) throws(StorageError) {
        self.path = path
        _ = Self.isConfigured
        let flags: Int32 =
            switch mode {
            case .create: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .readWrite: SQLITE_OPEN_READWRITE
            case .readOnly: SQLITE_OPEN_READONLY
            }
        // The owner serialises; SQLite's own mutexes would be taken for nothing.
        let code = sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_NOMUTEX, vfs)
        guard code == SQLITE_OK else {
            let failure = error(code, sql: "open")
            close()
            throw failure
        }
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, StorageLimits.busyTimeoutMs)
        // Before anything can fail: a connection that closes would checkpoint a log that was not looked at yet. A reader's does
        // too: it begins with a sync, and tells nobody where that fails.
        keepLogOnClose()
        do throws(StorageError) {
            if mode == .create { reserveForChecks() }
            try execute(setup)
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// A file that is made now keeps the last bytes of each page free for its checksum; one that is there has them already.
    private func reserveForChecks() {
        var count = CheckedVFS.reservedBytes
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &count)
    }

    func close() {
        statements = [:]
        rowsInMemory = nil
        if let handle { sqlite3_close_v2(handle) }
        handle = nil
    }

    /// Statements end a turn every few rows, where there are turns.
    var turns: ShortTurns? {
        didSet {
            guard turns !== oldValue else { return }
            let context = turns.map { Unmanaged.passUnretained($0).toOpaque() }
            sqlite3_progress_handler(
                handle, context == nil ? 0 : StorageLimits.operationsPerTurn,
                { context in
                    Unmanaged<ShortTurns>.fromOpaque(context!).takeUnretainedValue().end()
                    return 0
                }, context)
        }
    }

    /// It may only be read: SQLite opens a file so that its user may not write at the moment, and it stays so.
    var isReadOnly: Bool { sqlite3_db_readonly(handle, "main") == 1 }

    /// Moves the log into the file first, where that can be done. Closing once more does nothing.
    func closeWithoutLog() {
        guard handle != nil else { return }
        _ = try? checkpoint()
        close()
    }

    /// Keeps the write-ahead log when the last connection closes: the next one then need not make and sync a new one.
    private func keepLogOnClose() {
        tollgate_sqlite_keep_wal(handle)
    }

    /// As a server's own connection needs it: the log is checkpointed by nobody but us, and a schema may do nothing by itself.
    func configureForWriting() {
        sqlite3_wal_autocheckpoint(handle, 0)
        _ = tollgate_sqlite_distrust_schema(handle)
    }

    /// The whole database as the bytes of a file.
    func image() throws(StorageError) -> [UInt8] {
        var count: sqlite3_int64 = 0
        guard let bytes = sqlite3_serialize(handle, "main", &count, 0) else {
            throw error(SQLITE_NOMEM, sql: "serialize")
        }
        defer { sqlite3_free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    /// Runs statements that neither take values nor give rows.
    func execute(_ sql: String) throws(StorageError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw error(code, sql: sql) }
    }

    /// The statement for `sql`, prepared once.
    func statement(_ sql: String) throws(StorageError) -> Statement {
        if let statement = statements[sql] { return statement }
        var pointer: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &pointer, nil)
        guard code == SQLITE_OK, let pointer else { throw error(code, sql: sql) }
        let statement = Statement(pointer, sql: sql, database: self)
        statements[sql] = statement
        return statement
    }

    /// The table `memory_rows`, which statements of this connection then know.
    func memoryRows() throws(StorageError) -> UnsafeMutablePointer<memory_rows> {
        if let rowsInMemory { return rowsInMemory }
        guard let rows = memory_rows_register(handle.map { UnsafeMutableRawPointer($0) }) else {
            throw error(SQLITE_NOMEM, sql: "memory_rows")
        }
        rowsInMemory = rows
        return rows
    }

    /// Runs `body` as one transaction: all of it, or, when it throws, nothing.
    func transaction<Result>(
        _ begin: String = "BEGIN IMMEDIATE", _ body: () throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try execute(begin)
        do throws(StorageError) {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // SQLite rolls back by itself after some errors; then there is nothing left to do.
            if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
            throw error
        }
    }

    /// Moves the write-ahead log into the file, syncs both and empties the log. Does not wait for readers: false where one
    /// still needs a part of the log, which then stays.
    ///
    /// Emptied, not left to be written over, though that would cost the disk less: SQLite takes a log up to the first frame that
    /// does not check, and of a log that rotted after it was moved it would lay older pages over newer ones.
    func checkpoint() throws(StorageError) -> Bool {
        sqlite3_busy_timeout(handle, 0)
        defer { sqlite3_busy_timeout(handle, StorageLimits.busyTimeoutMs) }
        let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
        if code & 0xFF == SQLITE_BUSY { return false }
        guard code == SQLITE_OK else { throw error(code, sql: "checkpoint") }
        return true
    }

    /// Makes the file and its log durable, through SQLite's own handles: to close another one of the file would let go of
    /// the locks that this process has on it (fcntl(2)).
    func sync() throws(StorageError) {
        for pointer in [SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER] {
            var file: UnsafeMutablePointer<sqlite3_file>?
            guard sqlite3_file_control(handle, "main", pointer, &file) == SQLITE_OK, let file,
                let methods = file.pointee.pMethods
            else { continue }
            let code = methods.pointee.xSync(file, SQLITE_SYNC_NORMAL)
            guard code == SQLITE_OK else { throw error(code, sql: "sync") }
        }
    }

    /// Bytes of the write-ahead log; 0 where there is none, or none was used yet.
    var logBytes: Int64 {
        var log: UnsafeMutablePointer<sqlite3_file>?
        var count: sqlite3_int64 = 0
        guard sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK, let log,
            let methods = log.pointee.pMethods, methods.pointee.xFileSize(log, &count) == SQLITE_OK
        else { return 0 }
        return count
    }

    /// The last failure as an error. A failing file's errno says more than SQLite's own text.
    fileprivate func error(_ code: Int32, sql: String) -> StorageError {
        if code == tollgate_sqlite_ioerr_data { return .corrupt(self, "a page of it is not as it was written") }
        var message = String(cString: handle.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code))
        let errno = handle.map { sqlite3_system_errno($0) } ?? 0
        if code & 0xFF == SQLITE_IOERR || code & 0xFF == SQLITE_CANTOPEN, errno != 0 {
            // SQLite has one code for a file that is not there and one that may not be opened.
            let saysAll = errno == EMFILE || errno == ENFILE || errno == ENOENT && code & 0xFF == SQLITE_CANTOPEN
            if saysAll { return .system(operation: "open", path: path, errno: errno) }
            message += ": " + String(cString: strerror(errno))
        }
        return .sqlite(code: code, message: message, sql: sql, path: path)
    }
}

/// A prepared statement. Every use binds, steps and resets within one call.
final class Statement {
    private let pointer: OpaquePointer
    private let sql: String
    private unowned let database: Database

    fileprivate init(_ pointer: OpaquePointer, sql: String, database: Database) {
        self.pointer = pointer
        self.sql = sql
        self.database = database
    }

    deinit { sqlite3_finalize(pointer) }

    /// Runs it for its effect.
    func run(_ bind: (inout Bindings) -> Void = { _ in }) throws(StorageError) {
        try rows(bind) { _ in true }
    }

    /// Calls `body` with each row until it returns false.
    func rows(
        _ bind: (inout Bindings) -> Void = { _ in }, _ body: (Row) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var bindings = Bindings(pointer)
        bind(&bindings)
        defer { sqlite3_reset(pointer) }
        guard bindings.code == SQLITE_OK else { throw database.error(bindings.code, sql: sql) }
        while true {
            switch sqlite3_step(pointer) {
            case SQLITE_ROW: if try !body(Row(pointer)) { return }
            case SQLITE_DONE: return
            case let code: throw database.error(code, sql: sql)
            }
        }
    }

    /// What `body` makes of the first row; nil where there is none.
    func first<Value>(
        _ bind: (inout Bindings) -> Void = { _ in }, _ body: (Row) throws(StorageError) -> Value
    ) throws(StorageError) -> Value? {
        var value: Value?
        try rows(bind) { (row) throws(StorageError) in
            value = try body(row)
            return false
        }
        return value
    }
}

/// The values of a statement, given from the first parameter on.
struct Bindings {
    private let pointer: OpaquePointer
    private var index: Int32 = 0
    /// The first failure.
    fileprivate private(set) var code: Int32 = SQLITE_OK

    fileprivate init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    mutating func integer(_ value: Int64?) {
        index += 1
        note(value.map { sqlite3_bind_int64(pointer, index, $0) } ?? sqlite3_bind_null(pointer, index))
    }

    /// Sequences, positions and counts: SQLite's integers are signed, the bits are kept.
    mutating func integer(_ value: UInt64) { integer(Int64(bitPattern: value)) }

    mutating func text(_ value: String) {
        index += 1
        var value = value
        value.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { characters in
                note(
                    sqlite3_bind_text(
                        pointer, index, characters.baseAddress, Int32(characters.count), tollgate_sqlite_transient()))
            }
        }
    }

    mutating func blob(_ bytes: UnsafeRawBufferPointer) {
        index += 1
        note(sqlite3_bind_blob(pointer, index, bytes.baseAddress, Int32(bytes.count), tollgate_sqlite_transient()))
    }

    /// Bytes that stay where they are until the statement has run.
    mutating func borrowed(_ bytes: UnsafeRawBufferPointer) {
        index += 1
        note(sqlite3_bind_blob(pointer, index, bytes.baseAddress, Int32(bytes.count), tollgate_sqlite_static()))
    }

    private mutating func note(_ result: Int32) {
        if code == SQLITE_OK { code = result }
    }
}

/// One row of a result, valid until the next step.
struct Row {
    private let pointer: OpaquePointer

    fileprivate init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(pointer, column) == SQLITE_NULL }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(pointer, column) }

    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    func unsigned(_ column: Int32) -> UInt64 { UInt64(bitPattern: integer(column)) }

    func text(_ column: Int32) -> String {
        let bytes = sqlite3_column_text(pointer, column)
        let count = Int(sqlite3_column_bytes(pointer, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    func blob(_ column: Int32) -> UnsafeRawBufferPointer {
        let bytes = sqlite3_column_blob(pointer, column)
        return UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(pointer, column)))
    }
}
