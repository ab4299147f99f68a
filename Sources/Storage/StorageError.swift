import Locks

#if canImport(Glibc)
    import Glibc
#endif

/// What went wrong with a disk or a file on it.
package enum StorageError: Error, Equatable, Sendable {
    case system(operation: String, path: String, errno: Int32)
    /// Never names bound values: they are the tenants' own.
    case sqlite(code: Int32, message: String, sql: String, path: String)
    case corrupt(path: String, reason: String)
    /// What stands there is missing, or whole but not what belongs there.
    case misplaced(path: String, reason: String)
    /// A tenant's shard was damaged, and has another name now.
    case setAside(tenant: String, path: String, reason: String)
    /// The shards' manifest is damaged, or not that of the shards and the journal beside it.
    case damagedManifest(path: String, reason: String)
    /// Another process works on the directory.
    case locked(path: String, holder: String)
    /// A bound of this module.
    case limit(String)
    /// What was asked does not go with what is stored; the caller's doing.
    case conflict(String)
}

extension StorageError {
    private static let sqliteFull: Int32 = 13
    private static let sqliteReadOnly: Int32 = 8
    private static let sqliteCannotOpen: Int32 = 14
    /// A schema that lacks a table or a column, a page that makes no sense, a row that contradicts another, a file of another kind.
    private static let sqliteDamages: Set<Int32> = [1, 11, 19, 26]

    /// True where room on the disk (or a quota) is what is missing.
    package var isDiskFull: Bool {
        switch self {
        case .system(_, _, let errno): errno == ENOSPC || errno == EDQUOT
        case .sqlite(let code, _, _, _): code & 0xFF == Self.sqliteFull
        case .corrupt, .misplaced, .setAside, .damagedManifest, .locked, .limit, .conflict: false
        }
    }

    /// True where the process, or the machine, may open no more files.
    package var isOutOfDescriptors: Bool {
        if case .system(_, _, let errno) = self { errno == EMFILE || errno == ENFILE } else { false }
    }

    /// True where bytes on the disk are not what was written.
    package var isCorruption: Bool {
        switch self {
        case .corrupt, .misplaced, .setAside, .damagedManifest: true
        case .sqlite(let code, _, _, _): Self.sqliteDamages.contains(code & 0xFF)
        case .system, .locked, .limit, .conflict: false
        }
    }
}

extension StorageError: CustomStringConvertible {
    /// What happened, where, and what to do about it.
    package var description: String {
        switch self {
        case .system(let operation, let path, let errno):
            "\(operation) \(path): \(String(cString: strerror(errno)))\(Self.advice(for: errno))"
        case .sqlite(let code, let message, let sql, let path):
            "\(path): SQLite error \(code) (\(message)) in \"\(Self.firstLine(of: sql))\"\(Self.advice(forSQLite: code))"
        case .corrupt(let path, let reason):
            "\(path) is damaged: \(reason); restore it from a backup, or move it away and keep it for examination"
        case .misplaced(let path, let reason):
            "\(path) is not what belongs there: \(reason); put back what was there, or restore it from a backup"
        case .setAside(let tenant, let path, let reason):
            "the book of tenant \(tenant) was set aside as \(path): \(reason); "
                + "`tollgate restore --tenant \(tenant) --from BACKUP --data DIR` makes it anew"
        case .damagedManifest(let path, let reason):
            "\(path) is damaged: \(reason); `tollgate repair manifest --data DIR` makes it anew of the shards and the journal"
        case .locked(let path, let holder):
            "\(path) is in use by \(holder); stop that server first or use another directory"
        case .limit(let what): what
        case .conflict(let what): what
        }
    }

    /// Enough of a statement to find it by; the whole of one may be a schema.
    private static func firstLine(of sql: String) -> Substring {
        sql.prefix { $0 != "\n" }
    }

    private static func advice(forSQLite code: Int32) -> String {
        switch code & 0xFF {
        case sqliteFull: "; make room on the disk"
        case sqliteReadOnly, sqliteCannotOpen: "; the server's user needs to be allowed to write there"
        default: ""
        }
    }

    private static func advice(for errno: Int32) -> String {
        switch errno {
        case ENOSPC, EDQUOT: "; make room on the disk"
        case EACCES, EPERM: "; the server's user needs to be allowed to write there"
        case EROFS: "; the file system is mounted read-only, often after a fault of the disk"
        case EIO: "; look at the disk and the kernel's log"
        case EMFILE, ENFILE: "; raise the limit of open files"
        case ENOENT: "; `tollgate init` makes a data directory"
        default: ""
        }
    }
}
