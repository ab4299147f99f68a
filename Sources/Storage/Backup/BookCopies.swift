import Ledger

/// The copies of the books while a backup brings them up to the shards and the journal.
struct BookCopies {
    let generation: BackupDirectory.Generation
    let layout: DataDirectory.Layout
    private(set) var books: [TenantID: BackupManifest.Book]
    let moment: Instant
    let fileSystem: any FileSystem
    private(set) var report: BackupReport
    /// Copies that this run has written to, or seen to end where they should.
    private var touched: Set<TenantID> = []
    private var made: Set<TenantID> = []

    init(
        generation: BackupDirectory.Generation, layout: DataDirectory.Layout, books: [TenantID: BackupManifest.Book],
        moment: Instant, fileSystem: any FileSystem
    ) {
        self.generation = generation
        self.layout = layout
        self.books = books
        self.moment = moment
        self.fileSystem = fileSystem
        report = BackupReport(moment: moment, generation: generation.number)
    }

    /// How far a book was followed: to the end of its shard, and from there through the journal.
    private struct Walk {
        var position: UInt64
        var sequence: UInt64
        var head: ChainHash
        /// What is to be appended.
        var entries = FramePayload()
        var refusals = FramePayload()
        var newestRefusal = Instant.zero

        init(position: UInt64, sequence: UInt64, head: ChainHash) {
            self.position = position
            self.sequence = sequence
            self.head = head
        }

        mutating func add(refusal body: [UInt8], at instant: Instant) {
            body.readable { refusals.add($0) }
            newestRefusal = max(newestRefusal, instant)
        }

        var byteCount: Int { entries.bytes.count + refusals.bytes.count }
    }

    /// Brings the copies up to what the shards and the journal hold now.
    mutating func bringUp(_ tenants: [TenantID], _ progress: (CopyProgress) -> Void) throws(StorageError) {
        let journal = JournalTail(directory: layout.journal, fileSystem: fileSystem)
        let extent = try journal.extent()
        var left = tenants
        for round in 0..<StorageLimits.maxBackupRounds where !left.isEmpty {
            let listed = try ShardStore.listed(in: layout.shards, fileSystem: fileSystem)
            var walks: [TenantID: Walk] = [:]
            for (index, tenant) in left.enumerated() {
                if round == 0 { progress(CopyProgress(tenant: tenant, done: index, of: left.count)) }
                do throws(StorageError) {
                    let walk = try copyShard(tenant, isListed: listed[tenant] != nil)
                    let isBehind = walk.position < extent.last[tenant] ?? 0
                    if isBehind || walk.sequence < books[tenant]?.mark.sequence ?? 0 { walks[tenant] = walk }
                } catch {
                    try note(error, of: tenant)
                }
            }
            left = try copyTail(of: journal, through: extent.end, &walks)
        }
        for tenant in left {
            try note(
                .corrupt(
                    path: layout.journal,
                    reason:
                        "entry \((books[tenant]?.mark.sequence ?? 0) + 1) is neither in the shard nor in the journal"),
                of: tenant)
        }
    }

    /// A fault of one book stops no other; a disk that takes nothing, or a history that ended, stops the run.
    private mutating func note(_ error: StorageError, of tenant: TenantID) throws(StorageError) {
        if case .conflict = error { throw error }
        if error.isDiskFull || error.isAbout(generation.path) { throw error }
        report.faults.append((tenant, error))
    }

    // MARK: - From the shards

    /// - Returns: where the shard ends; at the beginning where it has none that counts.
    private mutating func copyShard(_ tenant: TenantID, isListed: Bool) throws(StorageError) -> Walk {
        let origin = BookMark(beginningOf: tenant)
        // What nobody vouched for is in the journal from its first record on.
        guard isListed else { return Walk(position: 0, sequence: 0, head: origin.head) }
        let path = ShardStore.file(of: tenant, in: layout.shards)
        guard try fileSystem.exists(path) else {
            throw .corrupt(path: path, reason: "the file is missing, or was set aside as damaged")
        }
        let shard = ShardGlance(path: path, tenant: tenant, fileSystem: fileSystem)
        let known = books[tenant]
        guard let first = try shard.entries(after: known?.mark.sequence ?? 0, head: known?.mark.head ?? origin.head)
        else { return Walk(position: 0, sequence: 0, head: origin.head) }
        let end = Walk(position: first.meta.position, sequence: first.meta.sequence, head: first.meta.head)
        // The journal may have had what the shard still lacks.
        if let known, first.meta.sequence < known.mark.sequence { return end }
        if let known, known.position == end.position, known.mark.sequence == end.sequence {
            note(tenant, position: end.position)
            return end
        }
        return try append(tenant, from: shard, first)
    }

    private mutating func append(
        _ tenant: TenantID, from shard: ShardGlance, _ first: ShardGlance.Part
    ) throws(StorageError) -> Walk {
        let before = books[tenant]
        let since = before?.mark.refusals ?? .zero
        let file = try open(tenant)
        defer { file.close() }
        var part = first
        if let kept = try goOn(tenant, in: file, shard) { part = kept }
        var writer = try BookFileWriter(file, tenant: tenant, from: mark(of: tenant))
        defer { noteAppended(tenant, from: before?.mark) }
        while true {
            try writer.append(entries: part.entries, head: part.head)
            set(writer.mark, of: tenant)
            if part.isLast { break }
            let next = try shard.entries(after: writer.mark.sequence, head: writer.mark.head)
            guard let next, next.meta.sequence >= writer.mark.sequence else {
                throw .forked(tenant, "it became shorter while it was copied")
            }
            part = next
        }
        var place: ShardGlance.Refusals.Place?
        repeat {
            let found = try shard.refusals(
                since: since.advanced(microseconds: -StorageLimits.refusalOverlapMicroseconds), from: place)
            try writer.append(refusals: found.payload, newest: found.newest)
            set(writer.mark, of: tenant)
            place = found.next
        } while place != nil
        note(tenant, position: part.meta.position)
        return Walk(position: part.meta.position, sequence: part.meta.sequence, head: part.meta.head)
    }

    /// What a run that was ended left behind the copy's mark is kept where the shard has the same.
    ///
    /// - Returns: what then comes next; nil where nothing was kept.
    private mutating func goOn(
        _ tenant: TenantID, in file: any File, _ shard: ShardGlance
    ) throws(StorageError) -> ShardGlance.Part? {
        let counted = mark(of: tenant)
        guard !touched.contains(tenant) else { return nil }
        touched.insert(tenant)
        let size = try file.size()
        guard size >= counted.bytes else {
            throw .corrupt(
                path: generation.file(of: tenant),
                reason: "it ends at byte \(size), before \(counted.bytes), where it should")
        }
        if size == counted.bytes { return nil }
        var reader = BookFileReader(
            file, path: generation.file(of: tenant), tenant: tenant, from: counted.bytes == 0 ? nil : counted)
        // Refusals are looked at again: a run that ends early again and again would leave them as often.
        var kept = counted
        while let frame = try? reader.next(before: size), frame.content == .entries { kept = reader.mark }
        do throws(StorageError) {
            let next = try shard.entries(after: kept.sequence, head: kept.head)
            if let next, next.meta.sequence >= kept.sequence, kept.bytes > 0 {
                try file.truncate(to: kept.bytes)
                set(kept, of: tenant)
                return next
            }
        } catch {
            guard case .conflict = error else { throw error }
        }
        try file.truncate(to: counted.bytes)
        return nil
    }

    // MARK: - From the journal

    /// - Returns: the tenants of which something was trimmed before it was read: their shards have it now.
    private mutating func copyTail(
        of journal: JournalTail, through end: UInt64, _ walks: inout [TenantID: Walk]
    ) throws(StorageError) -> [TenantID] {
        if walks.isEmpty { return [] }
        var gaps: [TenantID] = []
        var bytes = 0
        try journal.forEachRecord(through: end) { (position, tenant, record) throws(StorageError) in
            guard var walk = walks[tenant], position > walk.position else { return }
            let before = walk.byteCount
            walks[tenant] = nil
            if try follow(&walk, record, at: position, tenant, in: journal) {
                bytes += walk.byteCount - before
                walks[tenant] = walk
            } else {
                try append(walk, tenant)
                gaps.append(tenant)
            }
            guard bytes >= StorageLimits.backupTailBytes else { return }
            for tenant in walks.keys { try flush(&walks[tenant]!, tenant) }
            bytes = 0
        }
        for tenant in walks.keys.sorted() {
            try flush(&walks[tenant]!, tenant)
            let walk = walks[tenant]!
            if walk.sequence < mark(of: tenant).sequence {
                throw .forked(
                    tenant, "it ends with entry \(walk.sequence), and the copy with \(mark(of: tenant).sequence)")
            }
            note(tenant, position: walk.position)
        }
        return gaps
    }

    /// Takes a record of the journal in; false where it does not follow directly.
    private func follow(
        _ walk: inout Walk, _ record: UnsafeRawBufferPointer, at position: UInt64, _ tenant: TenantID,
        in journal: JournalTail
    ) throws(StorageError) -> Bool {
        let copied = mark(of: tenant)
        let isKnown = position <= books[tenant]?.position ?? 0
        var followed = walk
        var isGap = false
        try journal.forEachEntry(of: record, at: position, tenant) { (entry, body) throws(StorageError) in
            if entry.kind == .refusal {
                if !isKnown { followed.add(refusal: body, at: entry.at) }
                return
            }
            isGap = isGap || entry.sequence != followed.sequence + 1
            if isGap { return }
            followed.sequence = entry.sequence
            followed.head = body.readable { HashChain.link(followed.head, $0) }
            if entry.sequence > copied.sequence {
                body.readable { followed.entries.add($0) }
            } else if entry.sequence == copied.sequence, followed.head != copied.head {
                throw .forked(tenant, "entry \(entry.sequence) is another one in the journal")
            }
        }
        if isGap { return false }
        walk = followed
        walk.position = position
        return true
    }

    private mutating func flush(_ walk: inout Walk, _ tenant: TenantID) throws(StorageError) {
        try append(walk, tenant)
        walk.entries = FramePayload()
        walk.refusals = FramePayload()
    }

    private mutating func append(_ walk: Walk, _ tenant: TenantID) throws(StorageError) {
        guard walk.byteCount > 0 else { return }
        let before = books[tenant]?.mark
        let file = try open(tenant)
        defer { file.close() }
        // What a run that was ended left behind the mark is not looked at: it would have to be proved first.
        if touched.insert(tenant).inserted { try file.truncate(to: mark(of: tenant).bytes) }
        var writer = try BookFileWriter(file, tenant: tenant, from: mark(of: tenant))
        try writer.append(entries: walk.entries, head: walk.head)
        try writer.append(refusals: walk.refusals, newest: walk.newestRefusal)
        set(writer.mark, of: tenant)
        noteAppended(tenant, from: before)
    }

    // MARK: - Files

    private func mark(of tenant: TenantID) -> BookMark { books[tenant]?.mark ?? BookMark(beginningOf: tenant) }

    private mutating func set(_ mark: BookMark, of tenant: TenantID) {
        let known = books[tenant]
        books[tenant] = BackupManifest.Book(mark: mark, position: known?.position ?? 0, moment: known?.moment ?? moment)
    }

    /// The copy has all that the book had up to a journal record.
    private mutating func note(_ tenant: TenantID, position: UInt64) {
        guard let mark = books[tenant]?.mark else { return }
        books[tenant] = BackupManifest.Book(mark: mark, position: position, moment: moment)
    }

    private mutating func open(_ tenant: TenantID) throws(StorageError) -> any File {
        let path = generation.file(of: tenant)
        if books[tenant] == nil || mark(of: tenant).bytes == 0 {
            made.insert(tenant)
            try fileSystem.makeDirectory(generation.folder(of: tenant))
            return try fileSystem.open(path, .openOrCreate)
        }
        guard try fileSystem.exists(path) else { throw .corrupt(path: path, reason: "the file is missing") }
        return try fileSystem.open(path, .existing)
    }

    private mutating func noteAppended(_ tenant: TenantID, from before: BookMark?) {
        let now = mark(of: tenant)
        let old = before ?? BookMark(beginningOf: tenant)
        guard now.bytes > old.bytes else { return }
        if changed.insert(tenant).inserted { report.changed += 1 }
        report.newEntries += now.sequence - old.sequence
        report.newBytes += now.bytes - old.bytes
    }

    private var changed: Set<TenantID> = []

    /// Makes what was appended, and the names of new files, survive a power cut.
    mutating func makeDurable() throws(StorageError) {
        if changed.count > StorageLimits.singleSyncs {
            try fileSystem.syncAll(generation.path)
        } else {
            for tenant in changed {
                let file = try fileSystem.open(generation.file(of: tenant), .existing)
                defer { file.close() }
                try file.sync()
            }
        }
        for folder in Set(made.map { generation.folder(of: $0) }) {
            try fileSystem.syncDirectory(folder)
        }
        if !made.isEmpty { try fileSystem.syncDirectory(generation.path + "/books") }
        try fileSystem.syncDirectory(generation.path)
    }
}

extension StorageError {
    /// The file that it names is below this path.
    fileprivate func isAbout(_ path: String) -> Bool {
        switch self {
        case .system(_, let file, _): file.hasPrefix(path + "/")
        default: false
        }
    }
}
