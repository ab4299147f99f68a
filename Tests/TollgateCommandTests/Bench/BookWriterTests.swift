import Foundation
import Ledger
import Storage
import Testing

@testable import TollgateCommand

/// Books that are written without a server are books like any other.
@Suite struct BookWriterTests {
    @Test(
        "each tenant gets its entries, all commits done, in a book that is proved; the journal is not behind the shards",
        arguments: [(1, 10), (3, 33), (2, 40_000), (3, 50_001)])
    func books(tenants: Int, entries: Int) throws {
        let path = NSTemporaryDirectory() + "tollgate-book-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        try DataDirectory(path: path, create: true).close()
        let writer = try BookWriter(path: path, tenants: tenants, entries: entries)
        try writer.write {}

        let data = try DataDirectory(path: path, create: false)
        defer { data.close() }
        let journal = try LocalJournal(directory: data.journal)
        defer { journal.close() }
        let shards = ShardStore(path: data.shards)
        defer { shards.close() }
        let written = try shards.tenants()
        #expect(written.count == tenants)
        #expect(try Directory.tenants(ofFile: data.directory) == written)
        for tenant in written {
            let verdict = try shards.verify(tenant)
            #expect(verdict.fault == nil)
            #expect(verdict.entries == UInt64(entries / tenants))
            #expect(verdict.totals.held == 0 && verdict.totals.consumed > 0)
            #expect(verdict.position <= journal.durablePosition)
        }
    }
}
