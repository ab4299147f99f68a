import Ledger
import Locks
import SeededRandom
import Testing

@testable import Storage

/// A data directory as a server keeps it, driven by hand: records are journaled, and reach the shards, and are trimmed, when
/// the test says so. Beside it the same records in shards that nothing ever happened to.
final class BackedUpServer {
    /// Where everything is: the machine's disk, or one that a test has hold of.
    let path: String
    let fileSystem: any FileSystem
    private let temporary: TemporaryDirectory?
    let directory: Directory
    let journal: LocalJournal
    let store: ShardStore
    private(set) var records: [TenantID: [[Entry]]] = [:]
    private var pending: [TenantID: RecordRun] = [:]
    private let data: DataDirectory

    var dataPath: String { path + "/data" }
    var target: String { path + "/backup" }

    init(
        tenants: [TenantID], at instant: Instant = Instant(microseconds: 1_767_225_600_000_000),
        on disk: (any FileSystem)? = nil, segmentBytes: Int64 = 32 << 10
    ) throws {
        temporary = disk == nil ? TemporaryDirectory() : nil
        path = temporary?.path ?? ""
        fileSystem = disk ?? LocalFileSystem()
        data = try DataDirectory(path: path + "/data", create: true, fileSystem: fileSystem)
        directory = try Directory(path: data.directory, fileSystem: fileSystem)
        journal = try LocalJournal(
            directory: data.journal, fileSystem: fileSystem, segmentBytes: segmentBytes,
            spares: disk == nil ? .inBackground : .byHand)
        store = ShardStore(path: data.shards, fileSystem: fileSystem)
        for tenant in tenants { try add(tenant, at: instant) }
    }

    func add(_ tenant: TenantID, at instant: Instant) throws {
        _ = try directory.createTenant(
            TenantRecord(id: tenant, plan: "", displayName: "", timeZone: "UTC", createdAt: instant))
    }

    deinit { close() }

    func close() {
        store.close()
        journal.close()
        directory.close()
        data.close()
    }

    // MARK: - As an engine does it

    /// Journals a record, durably.
    func take(_ record: [Entry], of tenant: TenantID) throws {
        var batch = JournalBatch(first: journal.durablePosition + 1)
        let position = batch.add(tenant: tenant) { EntryCodec.encodeRecord(record, into: &$0) }
        try journal.append(batch)
        pending[tenant, default: RecordRun()].append(contentsOf: RecordRun(record, at: position))
        records[tenant, default: []].append(record)
    }

    func flush(_ tenant: TenantID) throws {
        guard let run = pending.removeValue(forKey: tenant) else { return }
        try store.apply(tenant, run)
    }

    /// Makes the shards durable, and trims the journal behind what they hold.
    func trim() throws {
        #expect(store.makeDurable(Array(records.keys.filter { (try? store.extent($0)) ?? nil != nil })).isEmpty)
        let through = (pending.values.map(\.firstPosition).min() ?? journal.durablePosition + 1) - 1
        try store.willTrimJournal(through: through)
        try journal.trim(through: through)
    }

    /// Journals the records of books in turn, and flushes and trims at random.
    func take(_ books: [TenantID: ArraySlice<[Entry]>], random: inout SeededRandom) throws {
        var left = books
        while let tenant = left.keys.sorted().randomElement(using: &random) {
            guard let record = left[tenant]?.popFirst() else {
                left[tenant] = nil
                continue
            }
            try take(record, of: tenant)
            if random.next() % 16 == 0 { try flush(tenant) }
            if random.next() % 100 == 0 { try trim() }
        }
    }

    // MARK: - Copies

    @discardableResult
    func backup(
        at now: Instant = .zero, only: TenantID? = nil, newGeneration: Bool = false,
        fileSystem: (any FileSystem)? = nil
    ) throws -> BackupReport {
        var run = BackupRun(dataPath: dataPath, target: target)
        run.only = only
        run.startsGeneration = newGeneration
        run.fileSystem = fileSystem ?? self.fileSystem
        return try run.run(at: now)
    }

    func verifyBackup() throws -> BackupVerifier.Report {
        let scratch = TemporaryDirectory()
        return try BackupVerifier(source: target, scratch: scratch.path).verify()
    }

    @discardableResult
    func restore(
        to name: String, only: TenantID? = nil, until: Instant? = nil, generation: Int? = nil
    ) throws -> RestoreReport {
        var run = RestoreRun(source: target, target: path + "/" + name)
        run.only = only
        run.until = until
        run.generation = generation
        return try run.run()
    }

    /// All rows of the shard that these records make, taken in one by one.
    static func dump(_ records: some Sequence<[Entry]>, of tenant: TenantID) throws -> [String: [[[UInt8]]]] {
        let folder = TemporaryDirectory()
        let store = ShardStore(path: folder.path)
        var run = RecordRun()
        for (index, record) in records.enumerated() {
            run.append(contentsOf: RecordRun(record, at: UInt64(index + 1)))
        }
        if !run.isEmpty { try store.apply(tenant, run) }
        store.close()
        return run.isEmpty ? [:] : try dump(ShardStore.file(of: tenant, in: folder.path))
    }

    /// All rows of all tables, but for how far the journal went.
    static func dump(_ path: String) throws -> [String: [[[UInt8]]]] {
        let database = try Database(path: path, .readOnly, setup: ShardSchema.readOnlySetup)
        defer { database.close() }
        var dump: [String: [[[UInt8]]]] = [:]
        var tables: [(String, Int32)] = []
        let sql = """
            SELECT t.name, (SELECT count(*) FROM pragma_table_info(t.name)) FROM sqlite_schema AS t WHERE type = 'table'
            """
        try database.statement(sql).rows { (row) throws(StorageError) in
            tables.append((row.text(0), Int32(row.integer(1))))
            return true
        }
        for (table, columns) in tables {
            dump[table] = []
            try database.statement("SELECT * FROM \(table)").rows { (row) throws(StorageError) in
                // The fourth column of `meta` is the journal position.
                let kept = (0..<columns).filter { table != "meta" || $0 != 3 }
                dump[table]?.append(kept.map { Array(row.blob($0)) })
                return true
            }
        }
        return dump
    }
}

/// Books with everything that books have, made once for all tests.
enum SomeBooks {
    static func records(_ tenant: TenantID, seed: UInt64, steps: Int) throws -> [[Entry]] {
        let folder = TemporaryDirectory()
        let store = ShardStore(path: folder.path)
        let book = GovernedBook(tenant: tenant, seed: seed, store: store)
        try book.run(steps: steps)
        store.close()
        return book.records
    }

    /// Those of a record that were dated up to a moment; no part of what belongs together.
    static func until(_ moment: Instant, _ records: [[Entry]]) -> [[Entry]] {
        records.map { $0.filter { $0.at <= moment } }.filter { !$0.isEmpty }
    }
}

/// The machine's disk, on which the n-th call that could fail does, and all after it.
final class DyingFileSystem: FileSystem {
    private let calls: CallCounter
    private let local = LocalFileSystem()

    /// - Parameter call: the first that fails, from 1; 0 for none.
    init(failingFrom call: Int) {
        calls = CallCounter(failingFrom: call)
    }

    var count: Int { calls.count }
    var sqliteVFS: String? { nil }

    func open(_ path: String, _ mode: FileMode) throws(StorageError) -> any File {
        try calls.mayFail("open", path)
        return DyingFile(file: try local.open(path, mode), path: path, calls: calls)
    }

    func rename(_ path: String, to target: String) throws(StorageError) {
        try calls.mayFail("rename", path)
        try local.rename(path, to: target)
    }

    func remove(_ path: String) throws(StorageError) {
        try calls.mayFail("remove", path)
        try local.remove(path)
    }

    func list(_ path: String) throws(StorageError) -> [String] {
        try calls.mayFail("list", path)
        return try local.list(path)
    }

    func exists(_ path: String) throws(StorageError) -> Bool {
        try calls.mayFail("look for", path)
        return try local.exists(path)
    }

    func makeDirectory(_ path: String) throws(StorageError) {
        try calls.mayFail("make", path)
        try local.makeDirectory(path)
    }

    func syncDirectory(_ path: String) throws(StorageError) {
        try calls.mayFail("sync", path)
        try local.syncDirectory(path)
    }

    func syncAll(_ path: String) throws(StorageError) {
        try calls.mayFail("sync", path)
        try local.syncAll(path)
    }
}

private final class CallCounter: Sendable {
    private let state: Protected<Int>
    private let failing: Int

    init(failingFrom call: Int) {
        state = Protected(0)
        failing = call
    }

    var count: Int { state.withLock { $0 } }

    func mayFail(_ operation: String, _ path: String) throws(StorageError) {
        let count = state.withLock { count in
            count += 1
            return count
        }
        if failing > 0, count >= failing { throw .system(operation: operation, path: path, errno: 5) }
    }
}

private final class DyingFile: File {
    private let file: any File
    private let path: String
    private let calls: CallCounter

    init(file: any File, path: String, calls: CallCounter) {
        self.file = file
        self.path = path
        self.calls = calls
    }

    func size() throws(StorageError) -> Int64 { try file.size() }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageError) -> Int {
        try calls.mayFail("read", path)
        return try file.read(into: buffer, at: offset)
    }

    /// Half of what fails is written.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageError) {
        do throws(StorageError) {
            try calls.mayFail("write", path)
        } catch {
            try? file.write(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]), at: offset)
            throw error
        }
        try file.write(bytes, at: offset)
    }

    func sync() throws(StorageError) {
        try calls.mayFail("sync", path)
        try file.sync()
    }

    func allocate(_ length: Int64) throws(StorageError) { try file.allocate(length) }

    func truncate(to length: Int64) throws(StorageError) {
        try calls.mayFail("truncate", path)
        try file.truncate(to: length)
    }

    func lock() throws(StorageError) -> Bool { try file.lock() }
    func close() { file.close() }
}
