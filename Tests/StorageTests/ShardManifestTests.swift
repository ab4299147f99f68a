import Glibc
import Ledger
import Testing

@testable import Storage

/// A shard that is not what it was is found, and one that nobody vouched for is made anew.
@Suite struct ShardManifestTests {
    let temporary = TemporaryDirectory()
    let acme: TenantID = "acme"

    var file: String { ShardStore.file(of: acme, in: temporary.path) }

    func store() -> ShardStore { ShardStore(path: temporary.path) }

    /// A durable book, its store closed.
    func settledBook(steps: Int = 60) throws -> BookDriver {
        let store = store()
        var book = BookDriver(tenant: acme, seed: 11)
        try book.run(steps: steps, into: store)
        try store.settle()
        return book
    }

    func expectCorrupt(_ store: ShardStore, _ word: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(sourceLocation: sourceLocation) {
            try store.load(acme)
        } throws: {
            ($0 as? StorageError)?.isCorruption == true && "\($0)".contains(word)
        }
        let fault = try store.verify(acme).fault
        #expect(fault?.reason.contains(word) == true, sourceLocation: sourceLocation)
    }

    @Test func aListedShardThatIsMissingIsAnErrorAndNeverAnEmptyBook() throws {
        var book = try settledBook()
        for suffix in ["", "-wal", "-shm"] { unlink(file + suffix) }
        let store = store()
        try expectCorrupt(store, "missing")
        #expect(try store.tenants() == [acme])
        book.step(book.randomCommand())
        #expect(throws: StorageError.self) { try book.flush(into: store) }
        #expect(try !LocalFileSystem().exists(file), "nothing is made in its place")
    }

    @Test func aShardThatVanishesBeforeItIsListedIsNeverListedAndNeverAnEmptyBook() throws {
        let store = store()
        var book = BookDriver(tenant: acme, seed: 15)
        try book.run(steps: 30, into: store)
        store.closeIdle()
        for suffix in ["", "-wal", "-shm"] { unlink(file + suffix) }
        #expect(store.makeDurable([acme])[acme] != nil)
        #expect(try ShardStore.listed(in: temporary.path)[acme] == nil)
        #expect(throws: StorageError.self) { try store.load(acme) }
    }

    @Test func anOlderCopyOfAShardIsAnError() throws {
        var book = try settledBook()
        let old = try LocalFileSystem().open(file, .readOnly).readAll()
        let store = store()
        try book.run(steps: 60, into: store)
        try store.settle()
        let copy = try LocalFileSystem().open(file, .create)
        try copy.write(old, at: 0)
        copy.close()
        try expectCorrupt(self.store(), "older copy")
    }

    @Test func aShardThatNobodyVouchedForIsMadeAnewFromTheJournal() throws {
        let first = store()
        var book = BookDriver(tenant: acme, seed: 12)
        try book.run(steps: 40, into: first)
        first.close()
        // What a power cut may leave of it.
        for remains in [try LocalFileSystem().open(file, .readOnly).readAll(), [], [UInt8](repeating: 7, count: 5_000)]
        {
            let left = try LocalFileSystem().open(file, .create)
            try left.write(remains, at: 0)
            left.close()
            let store = store()
            #expect(try store.load(acme) == nil)
            try store.apply(acme, entries: book.entries, through: 9)
            #expect(try store.load(acme)?.snapshot.totals == book.state.totals)
            #expect(try store.verify(acme).fault == nil)
            store.close()
        }
    }

    @Test func aShardThatWasCopiedHereIsNotThrownAway() throws {
        let book = try settledBook()
        unlink(temporary.path + "/" + ShardManifest.name)
        let before = try LocalFileSystem().open(file, .readOnly).readAll()
        let store = store()
        #expect {
            try store.apply(acme, entries: [book.entries[5]], through: 99)
        } throws: {
            "\($0)".contains("copied")
        }
        #expect(try LocalFileSystem().open(file, .readOnly).readAll() == before)
    }

    @Test func aJournalThatBeginsLaterThanTheManifestSaysIsRefused() throws {
        let store = store()
        try store.check(journalFrom: 1)
        #expect(throws: StorageError.self) { try store.check(journalFrom: 2) }
        try store.willTrimJournal(through: 7)
        store.close()
        let again = self.store()
        try again.check(journalFrom: 8)
        #expect(throws: StorageError.self) { try again.check(journalFrom: 9) }
    }

    @Test func aDeletedBookBeginsAnew() throws {
        _ = try settledBook()
        let store = store()
        try store.delete(acme)
        #expect(try store.load(acme) == nil)
        #expect(try store.tenants().isEmpty)
        var book = BookDriver(tenant: acme, seed: 13)
        try book.run(steps: 30, into: store)
        try store.settle()
        #expect(try self.store().load(acme)?.snapshot.totals == book.state.totals)
    }

    @Test func manyShardsAreMadeDurableTogether() throws {
        let store = store()
        let tenants = (0..<StorageLimits.singleSyncs + 10).map { TenantID("tenant-\($0)")! }
        for tenant in tenants {
            var book = BookDriver(tenant: tenant, seed: 14)
            try book.run(steps: 5, into: store)
        }
        #expect(store.makeDurable(tenants).isEmpty)
        store.close()
        let again = self.store()
        for tenant in tenants { #expect(try again.load(tenant) != nil) }
    }

    @Test func aManifestOfBentBytesIsAnError() throws {
        _ = try settledBook()
        let path = temporary.path + "/" + ShardManifest.name
        for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
        let manifest = try LocalFileSystem().open(path, .create)
        try manifest.write([UInt8](repeating: 0x41, count: 4_096), at: 0)
        manifest.close()
        #expect(throws: StorageError.self) { try self.store().load(acme) }
    }
}
