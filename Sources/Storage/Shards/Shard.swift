import CMemoryRows
import Ledger

/// An open shard: one tenant's SQLite file, used by one thread at a time. This process is its only writer, so where the
/// book stands is kept in memory.
///
/// `@unchecked Sendable`: `ShardPool` guards it.
final class Shard: @unchecked Sendable {
    let tenant: TenantID
    let database: Database
    private(set) var meta: ShardMeta
    /// Of reservations that were left open by a flush, so that their end needs no look-up. Bounded; cleared when it is full.
    private var subjects: [StepID: UseFold.Subject] = [:]

    /// Opens the tenant's file, which is there.
    ///
    /// - Parameter isBrief: It is opened for one use.
    init(
        tenant: TenantID, path: String, isBrief: Bool = false, pageCacheKiB: Int = StorageLimits.pageCacheKiB,
        _ fileSystem: any FileSystem = LocalFileSystem()
    ) throws(StorageError) {
        self.tenant = tenant
        let database = try Database(
            path: path, .readWrite,
            setup: isBrief
                ? ShardSchema.briefSetup(pageCacheKiB: pageCacheKiB) : ShardSchema.setup(pageCacheKiB: pageCacheKiB),
            vfs: fileSystem.sqliteVFS)
        self.database = database
        database.configureForWriting()
        // One that was made and never written to has an empty book.
        meta = try ShardMeta.read(from: database, tenant: tenant) ?? ShardMeta(origin: HashChain.origin(of: tenant))
    }

    /// Makes the file of a tenant that has none. It counts for nothing before the manifest lists it.
    static func make(path: String, _ fileSystem: any FileSystem) throws(StorageError) {
        let image = try ShardSchema.template.get()
        let file = try fileSystem.open(path, .create)
        defer { file.close() }
        do throws(StorageError) {
            try file.write(image, at: 0)
        } catch {
            fileSystem.discard(path)
            throw error
        }
    }

    func close() {
        database.close()
    }

    /// Takes a run of records in one transaction.
    /// - Parameter turns: Ended every few records; nil where all is done in one go.
    func apply(_ records: RecordRun, in turns: ShortTurns? = nil) throws(StorageError) {
        guard records.firstPosition > meta.position else {
            throw .misplaced(
                path: database.path,
                reason: "it already holds position \(meta.position), beyond \(records.firstPosition)")
        }
        database.turns = turns
        defer { database.turns = nil }
        var fold = FlushFold(after: meta, path: database.path)
        var untilTurn = StorageLimits.recordsPerTurn
        try records.forEach { (position, record) throws(StorageError) in
            untilTurn -= 1
            if untilTurn == 0 {
                turns?.end()
                untilTurn = StorageLimits.recordsPerTurn
            }
            try fold.add(record: record, at: position) { (id) throws(StorageError) in try subject(of: id) }
        }
        fold.finish(position: records.lastPosition)
        try take(fold)
    }

    /// Takes entries that were in a shard of the tenant before, encoded as one record, in one transaction.
    ///
    /// - Parameter position: the last journal record that the shard holds when it has all of them.
    func rebuild(_ record: UnsafeRawBufferPointer, position: UInt64) throws(StorageError) {
        var fold = FlushFold(after: meta, path: database.path)
        try fold.add(record: record, at: position) { (id) throws(StorageError) in try subject(of: id) }
        fold.finish(position: position)
        try take(fold)
    }

    /// Says that the shard holds everything up to a journal record, whatever it was made with.
    func move(to position: UInt64) throws(StorageError) {
        var moved = meta
        moved.position = position
        try database.transaction { () throws(StorageError) in try moved.write(to: database, tenant: tenant) }
        meta = moved
    }

    private func take(_ fold: FlushFold) throws(StorageError) {
        try database.transaction { () throws(StorageError) in
            try writeEntries(fold)
            try writeGrants(fold)
            try writeReservations(fold)
            try writeUses(fold)
            try writeRefusals(fold)
            if fold.meta.governance != meta.governance { try fold.meta.writeGovernance(to: database) }
            try fold.meta.write(to: database, tenant: tenant)
        }
        meta = fold.meta
        remember(fold)
    }

    private func subject(of reservation: StepID) throws(StorageError) -> UseFold.Subject {
        if let known = subjects[reservation] { return known }
        guard let opening = try opening(of: reservation), case .opening(let terms, _) = opening.detail else {
            throw .corrupt(database, "the opening entry of reservation \(reservation) is missing")
        }
        return UseFold.Subject(feature: terms.feature, actor: terms.actor)
    }

    private func remember(_ fold: FlushFold) {
        if subjects.count + fold.reservations.count > StorageLimits.rememberedOpenings { subjects = [:] }
        for change in fold.reservations {
            if change.closed != nil {
                // One that opened in this very run was never remembered.
                if change.opened == nil { subjects[change.id] = nil }
            } else if let subject = change.subject, subjects.count < StorageLimits.rememberedOpenings {
                subjects[change.id] = fold.subjects[subject]
            }
        }
    }
}

// MARK: - Writing

extension Shard {
    private func writeEntries(_ fold: FlushFold) throws(StorageError) {
        try fold.bodies.readable { (bodies) throws(StorageError) in
            guard fold.rows.count < StorageLimits.manyRows else {
                let sql = """
                    INSERT OR FAIL INTO entries (sequence, body, hash) SELECT a, bytes, key FROM memory_rows
                    """
                return try database.insert(fold.rows, sql) { row in
                    memory_row(
                        a: Int64(bitPattern: row.sequence), b: 0, c: 0, key: row.hash.words,
                        bytes: bodies.baseAddress! + row.body.lowerBound, count: row.body.count)
                }
            }
            let insert = try database.statement("INSERT INTO entries (sequence, body, hash) VALUES (?, ?, ?)")
            for row in fold.rows {
                try insert.run { values in
                    values.integer(row.sequence)
                    values.borrowed(UnsafeRawBufferPointer(rebasing: bodies[row.body]))
                    row.hash.withBytes { values.blob($0) }
                }
            }
        }
        for (key, sequence) in fold.steps {
            try database.statement("INSERT INTO steps (family, id, sequence) VALUES (?, ?, ?)").run { values in
                values.integer(Int64(key.family.rawValue))
                values.id(key.id)
                values.integer(sequence)
            }
        }
        for (version, sequence) in fold.prices {
            try database.statement("INSERT INTO prices (version, sequence) VALUES (?, ?)").run { values in
                values.integer(Int64(version))
                values.integer(sequence)
            }
        }
        for (sequence, at) in fold.audited {
            try database.statement("INSERT INTO audit (sequence, at) VALUES (?, ?)").run { values in
                values.integer(sequence)
                values.integer(at.microseconds)
            }
        }
    }

    private func writeGrants(_ fold: FlushFold) throws(StorageError) {
        for grant in fold.newGrants { try insert(grant) }
        let update = """
            UPDATE grants SET available = available + ?, held = held + ?, consumed = consumed + ?, expired = expired + ?,
                paid = paid + ?, refunded = refunded + ?, revoked_at = coalesce(?, revoked_at)
            WHERE number = ?
            """
        for change in fold.grants {
            try database.statement(update).run { values in
                values.integer(change.available)
                values.integer(change.held)
                values.integer(change.consumed)
                values.integer(change.expired)
                values.integer(change.paid)
                values.integer(change.refunded)
                values.integer(change.revokedAt?.microseconds)
                values.integer(Int64(change.number))
            }
        }
    }

    private func insert(_ grant: Grant) throws(StorageError) {
        let sql = """
            INSERT INTO grants (number, id, kind, origin, created_at, expires_at, comment, amount, available, held, consumed,
                expired, paid, refunded)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0)
            """
        try database.statement(sql).run { values in
            values.integer(Int64(grant.number))
            values.id(grant.id)
            values.integer(Int64(grant.kind.rawValue))
            values.integer(Int64(grant.origin.rawValue))
            values.integer(grant.createdAt.microseconds)
            values.integer(grant.expiresAt?.microseconds)
            values.text(grant.comment)
            values.integer(grant.amount)
            values.integer(grant.amount)
        }
    }

    private func writeReservations(_ fold: FlushFold) throws(StorageError) {
        let places = fold.reservations.enumerated().map { (id: $0.element.id, place: $0.offset) }
            .sorted { $0.id < $1.id }
        let opened = places.lazy.map { fold.reservations[$0.place] }.filter { $0.opened != nil }
        let others = places.lazy.map { fold.reservations[$0.place] }.filter { $0.opened == nil }
        try insert(opened, isMany: places.count >= StorageLimits.manyRows)
        for change in others {
            let closed = change.closed.map { Int64(bitPattern: $0) }
            try database.statement(
                "UPDATE reservations SET closed = coalesce(?, closed), last = nullif(?, coalesce(?, closed)) WHERE id = ?"
            ).run { values in
                values.integer(closed)
                values.integer(change.last)
                values.integer(closed)
                values.id(change.id)
            }
        }
    }

    private func insert(
        _ opened: some Collection<FlushFold.ReservationChange>, isMany: Bool
    ) throws(StorageError) {
        if isMany {
            let sql = """
                INSERT OR FAIL INTO reservations (id, opened, closed, last) SELECT key, a, b, c FROM memory_rows
                """
            return try database.insert(opened, sql) { change in
                let row = change.row
                return memory_row(
                    a: row.opened, b: row.closed ?? memory_row_null, c: row.last ?? memory_row_null,
                    key: (change.id.high.bigEndian, change.id.low.bigEndian), bytes: nil, count: 0)
            }
        }
        for change in opened {
            let row = change.row
            try database.statement("INSERT INTO reservations (id, opened, closed, last) VALUES (?, ?, ?, ?)").run {
                values in
                values.id(change.id)
                values.integer(row.opened)
                values.integer(row.closed)
                values.integer(row.last)
            }
        }
    }

    private func writeUses(_ fold: FlushFold) throws(StorageError) {
        let usage = """
            INSERT INTO usage (quarter_hour, micros, calls) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET micros = micros + excluded.micros, calls = calls + excluded.calls
            """
        let uses = """
            INSERT INTO uses (quarter_hour, feature, actor, micros, calls) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET micros = micros + excluded.micros, calls = calls + excluded.calls
            """
        for quarter in fold.uses.quarters {
            try database.statement(usage).run { values in
                values.integer(quarter.quarterHour)
                values.integer(quarter.total.micros)
                values.integer(quarter.total.calls)
            }
            for (place, use) in quarter.bySubject.enumerated() {
                guard let use else { continue }
                let subject = fold.subjects[place]
                try database.statement(uses).run { values in
                    values.integer(quarter.quarterHour)
                    values.text(subject.feature)
                    values.text(subject.actor)
                    values.integer(use.micros)
                    values.integer(use.calls)
                }
            }
        }
    }

    /// Old ones go when new ones come, so that a book without refusals pays nothing for them.
    private func writeRefusals(_ fold: FlushFold) throws(StorageError) {
        guard let newest = fold.newest, !fold.refusals.isEmpty else { return }
        let insert = try database.statement(
            "INSERT OR REPLACE INTO refusals (family, id, at, body) VALUES (?, ?, ?, ?)")
        try fold.bodies.readable { (bodies) throws(StorageError) in
            for (key, at, body) in fold.refusals {
                try insert.run { values in
                    values.integer(Int64(key.family.rawValue))
                    values.id(key.id)
                    values.integer(at.microseconds)
                    values.borrowed(UnsafeRawBufferPointer(rebasing: bodies[body]))
                }
            }
        }
        try database.statement("DELETE FROM refusals WHERE at < ?").run { values in
            values.integer(newest.advanced(microseconds: -StorageLimits.refusalRetentionMicroseconds).microseconds)
        }
    }
}

extension FlushFold.ReservationChange {
    /// Of one that began in the run. `last` stays empty where it is the closing entry, or the opening one of an open
    /// reservation: most rows need none.
    fileprivate var row: (opened: Int64, closed: Int64?, last: Int64?) {
        let closed = closed.map { Int64(bitPattern: $0) }
        let opened = Int64(bitPattern: opened ?? 0)
        let last = Int64(bitPattern: last)
        return (opened, closed, last == closed ?? opened ? nil : last)
    }
}
