import Ledger

#if canImport(Glibc)
    import Glibc
#endif

/// Proves a tenant's book from its file alone: the chain of hashes, that the entries lead from nothing to the balance that
/// each of them states, the conservation law, and that every projection says what the entries say.
///
/// Reads in one transaction of its own connection, so that it may run beside a server that writes the book.
package struct BookVerifier {
    private let path: String
    private let tenant: TenantID
    private let listed: UInt64?
    private let fileSystem: any FileSystem
    /// Memory holds what so many entries closed, at most.
    var entriesBetweenForgetting: UInt64 = 4_096

    /// - Parameter listedThrough: The journal's record up to which the manifest says that the shard was made durable.
    package init(
        path: String, tenant: TenantID, listedThrough: UInt64? = nil, fileSystem: any FileSystem = LocalFileSystem()
    ) {
        self.path = path
        self.tenant = tenant
        listed = listedThrough
        self.fileSystem = fileSystem
    }

    /// The verdict. Throws only where the file cannot be read at all.
    package func verify() throws(StorageError) -> BookVerdict {
        var verdict = BookVerdict(tenant: tenant)
        guard try fileSystem.exists(path) else {
            guard let listed else { throw .system(operation: "open", path: path, errno: ENOENT) }
            verdict.fault = BookFault(
                entry: nil, reason: StorageError.lostShard(path: path, listedThrough: listed).description)
            return verdict
        }
        do throws(StorageError) {
            let database = try Database(
                path: path, .readOnly, setup: ShardSchema.readOnlySetup, vfs: fileSystem.sqliteVFS)
            defer { database.close() }
            verdict = try database.transaction("BEGIN") { () throws(StorageError) in
                try verify(database)
            }
        } catch {
            guard error.isCorruption else { throw error }
            verdict.fault = BookFault(entry: nil, reason: error.description)
        }
        return verdict
    }

    private func verify(_ database: Database) throws(StorageError) -> BookVerdict {
        var verdict = BookVerdict(tenant: tenant)
        guard let meta = try ShardMeta.read(from: database, tenant: tenant) else {
            let entries = try database.statement("SELECT count(*) FROM entries").first { $0.integer(0) }
            if entries != 0 || listed != nil {
                verdict.fault = BookFault(entry: nil, reason: "its meta row is missing")
            }
            return verdict
        }
        verdict.position = meta.position
        var proof = BookProof(
            database: database, tenant: tenant, entriesBetweenForgetting: entriesBetweenForgetting)
        do throws(ProofStop) {
            try proof.run(against: meta)
        } catch {
            switch error {
            case .fault(let fault): verdict.fault = fault
            case .storage(let error): throw error
            }
        }
        if verdict.fault == nil, let listed, meta.position < listed {
            verdict.fault = BookFault(
                entry: nil,
                reason: StorageError.oldShard(path: path, position: meta.position, listedThrough: listed).description)
        }
        verdict.entries = proof.state.sequence
        verdict.totals = proof.state.totals
        return verdict
    }
}

/// Why a proof goes no further.
enum ProofStop: Error {
    case fault(BookFault)
    case storage(StorageError)
}
