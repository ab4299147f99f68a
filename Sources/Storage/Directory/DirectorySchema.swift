/// The tables of `directory.sqlite`, and how a file of an older build becomes one of this.
enum DirectorySchema {
    static let setup = """
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA trusted_schema = OFF;
        """

    /// What makes a file of version n one of version n + 1; a new file begins at 0. A step, once released, never changes.
    private static let steps = [
        """
        CREATE TABLE IF NOT EXISTS tenants (
            id TEXT PRIMARY KEY,
            plan TEXT NOT NULL,
            display_name TEXT NOT NULL,
            time_zone TEXT NOT NULL,
            state INTEGER NOT NULL,
            created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS keys (
            key_id TEXT PRIMARY KEY,
            tenant TEXT,
            role TEXT NOT NULL,
            name TEXT NOT NULL,
            digest BLOB NOT NULL UNIQUE,
            created_at INTEGER NOT NULL,
            revoked_at INTEGER
        ) WITHOUT ROWID;
        ALTER TABLE tenants ADD COLUMN subscription INTEGER NOT NULL DEFAULT 2;
        ALTER TABLE tenants ADD COLUMN next_plan TEXT;
        ALTER TABLE tenants ADD COLUMN next_subscription INTEGER;
        ALTER TABLE tenants ADD COLUMN next_at INTEGER;
        ALTER TABLE tenants ADD COLUMN made_plan TEXT;
        ALTER TABLE tenants ADD COLUMN made_display_name TEXT;
        ALTER TABLE tenants ADD COLUMN made_time_zone TEXT;
        CREATE TABLE members (
            tenant TEXT NOT NULL,
            member_id TEXT NOT NULL,
            role TEXT NOT NULL,
            display_name TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (tenant, member_id)
        ) WITHOUT ROWID;
        CREATE TABLE outbox (
            place INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE,
            tenant TEXT NOT NULL,
            body BLOB,
            at INTEGER NOT NULL
        );
        CREATE INDEX outbox_by_tenant ON outbox (tenant, place);
        CREATE TABLE catalogs (
            version INTEGER PRIMARY KEY,
            applied_at INTEGER NOT NULL,
            json BLOB NOT NULL
        );
        """
    ]

    /// Brings the file up to date, in one transaction.
    static func migrate(_ database: Database) throws(StorageError) {
        if try version(of: database) == steps.count { return }
        try database.transaction { () throws(StorageError) in
            let version = try version(of: database)
            guard version <= steps.count else {
                throw .conflict("\(database.path) was made by a newer Tollgate; start that, or restore a backup")
            }
            for step in steps[version...] { try database.execute(step) }
            try database.execute("PRAGMA user_version = \(steps.count)")
        }
    }

    private static func version(of database: Database) throws(StorageError) -> Int {
        let version = try database.statement("PRAGMA user_version").first { (row) throws(StorageError) in row.integer(0)
        }
        return Int(version ?? 0)
    }
}
