import CMemoryRows
import CSQLite

extension Database {
    /// Runs `sql`, an INSERT that reads all of its rows from the table `memory_rows`, over a row for each item, in order.
    ///
    /// It should be an `INSERT OR FAIL`: so that it could undo its own rows alone SQLite would keep a copy of each page, and who
    /// calls undoes the whole transaction.
    func insert<Items: Collection>(
        _ items: Items, _ sql: String, _ row: (Items.Element) -> memory_row
    ) throws(StorageError) {
        guard !items.isEmpty else { return }
        let table = try memoryRows()
        let statement = try statement(sql)
        defer { table.pointee = memory_rows() }
        var rows: [memory_row] = []
        rows.reserveCapacity(min(items.count, StorageLimits.rowsAtOnce))
        for item in items {
            rows.append(row(item))
            if rows.count == StorageLimits.rowsAtOnce {
                try statement.run(over: rows, in: table)
                rows.removeAll(keepingCapacity: true)
            }
        }
        if !rows.isEmpty { try statement.run(over: rows, in: table) }
    }
}

extension Statement {
    fileprivate func run(
        over rows: [memory_row], in table: UnsafeMutablePointer<memory_rows>
    ) throws(StorageError) {
        try rows.span.withUnsafeBufferPointer { (rows) throws(StorageError) in
            table.pointee = memory_rows(rows: rows.baseAddress, count: rows.count)
            try run()
        }
    }
}
