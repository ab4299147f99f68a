import Ledger

/// What can still be read of a shard that was set aside. Nothing in it is believed: an entry counts where the chain of hashes
/// leads to it from one that does.
struct Salvage {
    let path: String
    let tenant: TenantID
    private let database: Database

    /// Nil where the file cannot be opened at all.
    init?(_ path: String, _ tenant: TenantID, _ fileSystem: any FileSystem) {
        self.path = path
        self.tenant = tenant
        guard
            let database = try? Database(
                path: path, .readOnly, setup: ShardSchema.readOnlySetup, vfs: fileSystem.sqliteVFS)
        else { return nil }
        self.database = database
    }

    func close() { database.close() }

    /// Where the book stood, as far as that can be read.
    var extent: ShardExtent? {
        let meta = try? database.transaction("BEGIN") { () throws(StorageError) in
            try ShardMeta.read(from: database, tenant: tenant)
        }
        return (meta ?? nil).map { ShardExtent($0) }
    }

    /// Calls `body` with the entries that follow one whose hash is known, up to the first that cannot be read or is another
    /// one than its hash says.
    func entries(
        after sequence: UInt64, head: ChainHash,
        _ body: (UnsafeRawBufferPointer, ChainHash) throws(StorageError) -> Void
    ) throws(StorageError) {
        var (next, head) = (sequence + 1, head)
        var failure: StorageError?
        do throws(StorageError) {
            let statement = try database.statement(
                "SELECT sequence, body, hash FROM entries WHERE sequence > ? ORDER BY sequence")
            try statement.rows({ $0.integer(sequence) }) { (row) throws(StorageError) in
                let hash = HashChain.link(head, row.blob(1))
                guard row.unsigned(0) == next, ChainHash(row.blob(2)) == hash,
                    (try? EntryCodec.decode(row.blob(1)))?.sequence == next
                else { return false }
                do throws(StorageError) {
                    try body(row.blob(1), hash)
                } catch {
                    failure = error
                    return false
                }
                next += 1
                head = hash
                return true
            }
        } catch {
            // Whatever the rest of the file is, it is not read.
        }
        if let failure { throw failure }
    }

    /// Whether an entry can be read, though nothing leads to it.
    func has(_ sequence: UInt64) -> Bool {
        let found = try? database.statement("SELECT body FROM entries WHERE sequence = ?").first({
            $0.integer(sequence)
        }) { (row) throws(StorageError) in (try? EntryCodec.decode(row.blob(0)))?.sequence == sequence }
        return (found ?? nil) ?? false
    }

    /// Calls `body` with the refusals that can be read.
    func refusals(_ body: (UnsafeRawBufferPointer) throws(StorageError) -> Void) throws(StorageError) {
        var failure: StorageError?
        do throws(StorageError) {
            try database.statement("SELECT body FROM refusals").rows { (row) throws(StorageError) in
                guard let entry = try? EntryCodec.decode(row.blob(0)), entry.kind == .refusal else { return true }
                do throws(StorageError) {
                    try body(row.blob(0))
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
        } catch {
            // A refusal that is lost may be tried again under its id; no credits hang on it.
        }
        if let failure { throw failure }
    }
}
