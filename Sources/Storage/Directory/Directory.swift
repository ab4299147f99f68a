import Ledger
import Locks
import Synchronization

/// What is above the tenants: which there are, their members, and the keys that open them. Every change is on the disk
/// before it counts; reads come from a copy in memory.
///
/// A change may carry a note for the tenant's book, stored in the same transaction: see `Directory+Outbox.swift`.
package final class Directory: Sendable {
    let file: DirectoryFile
    /// One change at a time; taken before `contents`.
    let writing = Lock()
    let contents: Protected<DirectoryContents>
    private let changes = Atomic<UInt64>(0)

    /// Opens the file, which is made where it is not there, and brought up to date where an older build made it.
    package init(path: String, fileSystem: any FileSystem = LocalFileSystem()) throws(StorageError) {
        file = try DirectoryFile(path: path, fileSystem)
        contents = Protected(try file.contents())
    }

    /// The tenants of a directory file, in order, read without taking or changing it: a server may be using it.
    package static func tenants(
        ofFile path: String, fileSystem: any FileSystem = LocalFileSystem()
    ) throws(StorageError) -> [TenantID] {
        let file = try DirectoryFile(reading: path, fileSystem)
        defer { file.close() }
        return try file.tenantIDs().sorted()
    }

    /// Grows with every change: what was looked up under another generation is to be looked up again.
    package var generation: UInt64 { changes.load(ordering: .acquiring) }

    package func close() {
        writing.locked { file.database.closeWithoutLog() }
    }

    /// Makes the change on the disk, with the note that tells of it, and then in memory.
    func commit(
        _ note: DirectoryNote?, _ write: (DirectoryFile) throws(StorageError) -> Void,
        _ change: (inout DirectoryContents) -> Void
    ) throws(StorageError) {
        if let note { try check(note) }
        try file.transaction { () throws(StorageError) in
            try write(file)
            if let note { try file.insert(note, at: contents.withLock { $0.takePlace() }) }
        }
        contents.withLock {
            change(&$0)
            if let note { $0.owed.insert(note.id) }
        }
        changes.add(1, ordering: .releasing)
        file.emptyLog()
    }

    static func check(_ names: [String]) throws(StorageError) {
        for name in names where name.utf8.count > StorageLimits.maxNameBytes {
            throw .limit("a name is longer than \(StorageLimits.maxNameBytes) bytes")
        }
    }

    // MARK: - Tenants

    /// Adds a tenant. Where one was made with the same id, plan, name and time zone it is returned as it is now
    /// (`replayed`); a different one is a conflict.
    package func createTenant(
        _ tenant: TenantRecord, note: DirectoryNote? = nil
    ) throws(StorageError) -> (tenant: TenantRecord, replayed: Bool) {
        try Self.check([tenant.plan, tenant.displayName, tenant.timeZone])
        return try writing.locked { () throws(StorageError) in
            let (known, count) = contents.withLock { ($0.tenants[tenant.id], $0.order.count) }
            if let known {
                guard known.made == tenant.made else {
                    throw .conflict("tenant \(tenant.id) exists with other contents")
                }
                return (known, true)
            }
            guard count < StorageLimits.maxTenants else {
                throw .limit("there are \(count) tenants, no more are taken")
            }
            try commit(note) { (file) throws(StorageError) in
                try file.insert(tenant)
            } _: { contents in
                contents.tenants[tenant.id] = tenant
                contents.order.insert(tenant.id, at: contents.place(of: tenant.id))
            }
            return (tenant, false)
        }
    }

    /// Changes a tenant: all but its id and when it was made.
    ///
    /// - Parameter note: makes what is owed to the book of the records before and after; not called where nothing changes.
    /// - Returns: the tenant before and after; nil where there is no such tenant.
    package func updateTenant(
        _ id: TenantID, note: (_ before: TenantRecord, _ after: TenantRecord) -> DirectoryNote? = { _, _ in nil },
        change: (inout TenantRecord) -> Void
    ) throws(StorageError) -> (before: TenantRecord, after: TenantRecord)? {
        try writing.locked { () throws(StorageError) in
            guard let before = tenant(id) else { return nil }
            var after = before
            change(&after)
            (after.id, after.createdAt, after.origin) = (before.id, before.createdAt, before.made)
            if after.made == TenantRecord.Origin(after) { after.origin = nil }
            guard after != before else { return (before, before) }
            try Self.check([after.plan, after.displayName, after.timeZone, after.next?.plan ?? ""])
            let changed = after
            try commit(note(before, after)) { (file) throws(StorageError) in
                try file.update(changed)
            } _: {
                $0.tenants[id] = changed
            }
            return (before, after)
        }
    }

    package func tenant(_ id: TenantID) -> TenantRecord? {
        contents.withLock { $0.tenants[id] }
    }

    /// In the order of their ids, from the first one after `after`.
    package func tenants(after: TenantID?, limit: Int) -> [TenantRecord] {
        contents.withLock { contents in
            var first = 0
            if let after {
                first = contents.place(of: after)
                if first < contents.order.count, contents.order[first] == after { first += 1 }
            }
            return contents.order[first...].prefix(max(0, limit)).compactMap { contents.tenants[$0] }
        }
    }
}

extension TenantRecord.Origin {
    /// As the tenant is now.
    fileprivate convenience init(_ tenant: TenantRecord) {
        self.init(plan: tenant.plan, displayName: tenant.displayName, timeZone: tenant.timeZone)
    }
}
