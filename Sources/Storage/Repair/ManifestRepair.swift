import Ledger

#if canImport(Glibc)
    import Glibc
#endif

/// What a repair of the shards' manifest did.
package struct ManifestRepairReport: Sendable {
    /// A book of which nothing vouches for what is left.
    package struct LostBook: Sendable {
        package let tenant: TenantID
        package let reason: String
        /// The name that its file has now; nil where there was none.
        package let file: String?
    }

    /// What was wrong with the manifest; nil where nothing was, and nothing was changed.
    package fileprivate(set) var fault: String?
    /// The name that the damaged manifest has now; nil where there was none.
    package fileprivate(set) var setAside: String?
    /// Books that were proven and listed.
    package fileprivate(set) var listed = 0
    /// Books that are not listed, as the journal has them from their first entries.
    package fileprivate(set) var inJournal = 0
    /// The journal's last record that may have been trimmed.
    package fileprivate(set) var trimmedThrough: UInt64 = 0
    /// Books that were listed, and of which the directory has no tenant.
    package fileprivate(set) var strangers: [TenantID] = []
    /// Books that are refused until they are restored.
    package fileprivate(set) var lost: [LostBook] = []
}

/// Makes the manifest of the shards anew where it is damaged or gone, while no server works in the directory.
///
/// The manifest alone knew that a shard is missing, or older than it was. So each book is proven, and held against what else
/// knows: the journal, which goes on where each shard ended when it was trimmed; files that were set aside; and the
/// directory, whose tenants had books. A book that is not what these say is listed with what it held at least, and its file is
/// set aside: its tenant is refused until the book is restored, and never begins anew.
///
/// A run that ends anywhere has changed nothing that the next one does not find: files are renamed and never removed, and the
/// manifest gets its name when it is whole.
package struct ManifestRepair {
    package let dataPath: String
    package var fileSystem: any FileSystem = LocalFileSystem()
    package var progress: (CopyProgress) -> Void = { _ in }

    package init(dataPath: String) {
        self.dataPath = dataPath
    }

    package func run() throws(StorageError) -> ManifestRepairReport {
        let data = try OfflineData(path: dataPath, fileSystem)
        defer { data.close() }
        let (journal, shards) = (data.journal, data.directory.shards)
        var report = ManifestRepairReport()
        report.fault = try fault(ofManifestBeside: journal)
        guard report.fault != nil else { return report }

        var extents: [TenantID: ShardExtent] = [:]
        for (tenant, finding) in try findings(journal).sorted(by: { $0.key < $1.key }) {
            let names = ShardNames(file: ShardStore.file(of: tenant, in: shards))
            extents[tenant] = try settle(finding, of: tenant, names, journalEnd: journal.durablePosition, &report)
        }
        report.trimmedThrough = journal.firstPosition - 1
        report.setAside = try ShardManifest.replace(
            inFolder: shards, extents: extents, trimmedThrough: report.trimmedThrough, fileSystem)
        return report
    }

    /// Why a server refuses the manifest; nil where it does not.
    private func fault(ofManifestBeside journal: any Journal) throws(StorageError) -> String? {
        // A making that was cut off is undone only by who may write, as a server does; damage stays as it is.
        for mayWrite in [false, true] {
            let store = ShardStore(
                path: DataDirectory.Layout(path: dataPath).shards, fileSystem: fileSystem, mayWrite: mayWrite)
            defer { store.close() }
            do throws(StorageError) {
                try store.check(journal)
                return nil
            } catch {
                if case .damagedManifest(_, let reason) = error { return reason }
                if mayWrite { throw error }
            }
        }
        return nil
    }

    /// Makes durable what is to be listed of a book, and sets aside what is not.
    ///
    /// - Returns: what is listed; nil for nothing.
    private func settle(
        _ finding: Finding, of tenant: TenantID, _ names: ShardNames, journalEnd: UInt64,
        _ report: inout ManifestRepairReport
    ) throws(StorageError) -> ShardExtent? {
        switch finding.result {
        case .whole(let extent):
            try makeDurable(tenant, names, extent, isVouchedFor: !finding.isInJournal)
            report.listed += 1
            if !finding.hasTenant { report.strangers.append(tenant) }
            if extent.position > journalEnd {
                let reason =
                    "it holds record \(extent.position), and the journal, which ends at \(journalEnd), is not its own"
                report.lost.append(.init(tenant: tenant, reason: reason, file: nil))
            }
            return extent
        case .unlisted:
            report.inJournal += 1
            if finding.isDamaged { _ = try names.setAsideFile(fileSystem) }
            return nil
        case .lost(let extent, let reason):
            let isThere = try fileSystem.exists(names.file)
            let aside = isThere ? try names.setAsideFile(fileSystem) : nil
            report.lost.append(.init(tenant: tenant, reason: reason, file: aside))
            return extent
        }
    }

    /// Makes a whole shard durable, so that it may be vouched for.
    ///
    /// - Parameter isVouchedFor: An earlier manifest vouched for what its file then held.
    private func makeDurable(
        _ tenant: TenantID, _ names: ShardNames, _ extent: ShardExtent, isVouchedFor: Bool
    ) throws(StorageError) {
        // What an earlier process left may stand in the kernel's memory alone; see `ShardLogs`.
        try fileSystem.makeDurable(log: names.file + "-wal")
        if !isVouchedFor { try fileSystem.writeAgain(names.file) }
        let shard = try Shard(tenant: tenant, path: names.file, fileSystem)
        defer { shard.close() }
        guard try shard.database.checkpoint() else {
            throw .conflict("\(names.file) is being read by another process; try again")
        }
        try shard.database.sync()
        try fileSystem.syncDirectory(names.folder)
        guard ShardExtent(shard.meta) == extent else {
            throw .conflict("\(names.file) is written by another process, though the directory is locked")
        }
    }
}

extension ManifestRepair {
    /// A tenant's book.
    private struct Finding {
        let result: BookFinding
        /// The journal has it from its first entry.
        let isInJournal: Bool
        let isDamaged: Bool
        let hasTenant: Bool
    }

    private func findings(_ journal: LocalJournal) throws(StorageError) -> [TenantID: Finding] {
        let layout = DataDirectory.Layout(path: dataPath)
        guard try fileSystem.exists(layout.directory) else {
            throw .system(operation: "open", path: layout.directory, errno: ENOENT)
        }
        let directory = try Directory(path: layout.directory, fileSystem: fileSystem)
        defer { directory.close() }
        let withFiles = try ShardStore.tenantsWithFiles(in: layout.shards, fileSystem) {
            $0.hasPrefix(ShardStore.suffix)
        }
        let withSetAside = try ShardStore.tenantsWithFiles(in: layout.shards, fileSystem) {
            $0.hasPrefix(ShardNames.setAsideSuffix)
        }
        var remains: [TenantID: ShardRemains] = [:]
        for (index, tenant) in withFiles.sorted().enumerated() {
            progress(CopyProgress(tenant: tenant, done: index, of: withFiles.count))
            remains[tenant] = try ShardRemains(
                of: tenant, in: layout.shards, hasSetAside: withSetAside.contains(tenant), fileSystem)
        }
        let traces = try JournalTrace.traces(of: journal, held: remains.mapValues(\.position))

        var findings: [TenantID: Finding] = [:]
        for tenant in withFiles.union(traces.keys) {
            let (remains, trace) = (remains[tenant] ?? .none, traces[tenant] ?? JournalTrace())
            findings[tenant] = Finding(
                result: BookFinding(remains, trace), isInJournal: trace.beginsBook || remains.isWithoutEntries,
                isDamaged: remains.isDamaged,
                hasTenant: directory.tenant(tenant) != nil)
        }
        // A journal that was never trimmed has every book, but for those that came with a restore.
        let isWhole = journal.firstPosition == 1 && findings.values.allSatisfy(\.isInJournal)
        for record in directory.tenants(after: nil, limit: .max) where findings[record.id] == nil && !isWhole {
            let first = try directory.outbox(of: record.id, limit: 1).first
            // Whoever is still owed what it was made with never had a book.
            if first?.note.at == record.createdAt { continue }
            findings[record.id] = Finding(
                result: BookFinding(.none, JournalTrace()), isInJournal: false, isDamaged: false, hasTenant: true)
        }
        return findings
    }
}

extension ShardRemains {
    fileprivate var isDamaged: Bool {
        if case .damaged = file { true } else { false }
    }

    /// It was never told anything but refusals.
    fileprivate var isWithoutEntries: Bool {
        if case .whole(let extent) = file { extent.sequence == 0 } else { false }
    }
}
