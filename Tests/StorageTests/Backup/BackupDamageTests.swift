import Ledger
import SeededRandom
import Testing

@testable import Storage

/// Whatever happens to the bytes of a backup is found, and the file is named.
@Suite struct BackupDamageTests {
    private func server() throws -> BackedUpServer {
        let server = try BackedUpServer(tenants: ["acme"])
        let records = try SomeBooks.records("acme", seed: 21, steps: 70)
        for (index, record) in records.enumerated() {
            try server.take(record, of: "acme")
            if index == records.count / 2 { try server.backup() }
        }
        try server.flush("acme")
        try server.trim()
        try server.backup()
        return server
    }

    /// Writes bytes in the place of a file's, and back.
    private func with(_ bytes: [UInt8], in path: String, _ body: () throws -> Void) throws {
        let file = try LocalFileSystem().open(path, .existing)
        let before = try file.readAll()
        try file.truncate(to: 0)
        try file.write(bytes, at: 0)
        try body()
        try file.truncate(to: 0)
        try file.write(before, at: 0)
        file.close()
    }

    @Test func everyTruncationAndEveryFlippedBitOfABookIsFoundAndNamed() throws {
        let server = try server()
        let generation = BackupDirectory(path: server.target, fileSystem: LocalFileSystem()).generation(1)
        let path = generation.file(of: "acme")
        let book = try #require(try generation.manifest()?.books["acme"])
        let bytes = try LocalFileSystem().open(path, .readOnly).readAll()
        #expect(Int64(bytes.count) == book.mark.bytes)
        var now = bytes
        let read = { () throws in
            var reader = BookFileReader(FileInMemory(now), path: path, tenant: "acme")
            while try reader.next(before: book.mark.bytes) != nil {}
            #expect(reader.mark == book.mark)
        }
        try read()
        let expectNamed = { (body: () throws -> Void) in
            _ = #expect {
                try body()
            } throws: {
                ($0 as? StorageError)?.isCorruption == true && "\($0)".contains(path)
            }
        }
        var found = 0
        for length in 0..<bytes.count {
            now = Array(bytes[..<length])
            expectNamed(read)
            found += 1
        }
        var random = SeededRandom(seed: 5)
        for place in bytes.indices {
            now = bytes
            now[place] ^= 1 << UInt8(random.next() % 8)
            expectNamed(read)
            found += 1
        }
        // The same by what a person runs, where it costs more.
        for _ in 0..<20 {
            var flipped = bytes
            flipped[Int(random.next() % UInt64(bytes.count))] ^= 1 << UInt8(random.next() % 8)
            try with(flipped, in: path) {
                guard case .failure(let error) = try server.verifyBackup().books[0].verdict else {
                    Issue.record("a flipped bit was not found")
                    return
                }
                #expect("\(error)".contains(path))
                #expect(throws: StorageError.self) { try server.restore(to: "flipped-\(random.next())") }
            }
        }
        print(
            "covered: backup: \(found) truncations and flipped bits of a book of \(book.mark.sequence) entries, all found"
        )
    }

    @Test func everyTruncationAndEveryFlippedBitOfTheManifestIsFoundAndNamed() throws {
        let server = try server()
        let directory = BackupDirectory(path: server.target, fileSystem: LocalFileSystem())
        let path = directory.generation(1).manifestFile
        let bytes = try LocalFileSystem().open(path, .readOnly).readAll()
        for place in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[place] ^= 1 << UInt8(bit)
                #expect(throws: StorageError.self) { try BackupManifest(flipped, path: path) }
            }
            #expect {
                try BackupManifest(Array(bytes[..<place]), path: path)
            } throws: {
                "\($0)".contains(path)
            }
        }
        try with(Array(bytes.dropLast()), in: path) {
            #expect(throws: StorageError.self) { try server.verifyBackup() }
            #expect(throws: StorageError.self) { try server.backup() }
        }
    }

    @Test func aDamagedCopyOfTheDirectoryIsFoundAndNamed() throws {
        let server = try server()
        let generation = BackupDirectory(path: server.target, fileSystem: LocalFileSystem()).generation(1)
        let path = generation.path + "/" + (try #require(try generation.manifest()?.directory))
        var bytes = try LocalFileSystem().open(path, .readOnly).readAll()
        for length in [0, 1, bytes.count - 1] {
            try with(Array(bytes[..<length]), in: path) {
                let fault = try #require(try server.verifyBackup().directoryFault)
                #expect("\(fault)".contains(path))
                #expect(throws: StorageError.self) { try server.restore(to: "cut-\(length)") }
            }
        }
        bytes[bytes.count / 3] ^= 4
        try with(bytes, in: path) {
            let fault = try #require(try server.verifyBackup().directoryFault)
            #expect("\(fault)".contains(path))
        }
        #expect(try server.verifyBackup().directoryFault == nil)
    }

    @Test func aRestoreThatEndedEarlyIsNoDataDirectory() throws {
        let server = try server()
        let name = server.path + "/early"
        var run = RestoreRun(source: server.target, target: name)
        var call = 1
        while true {
            run.fileSystem = DyingFileSystem(failingFrom: call)
            guard (try? run.run()) == nil else { break }
            let isWhole = try LocalFileSystem().exists(name + "/VERSION")
            if !isWhole {
                #expect(throws: StorageError.self) { try DataDirectory(path: name, create: false) }
                if try LocalFileSystem().exists(name + "/RESTORING") {
                    #expect(throws: StorageError.self) { try DataDirectory(path: name, create: true) }
                }
            }
            TemporaryDirectory.remove(name)
            call += 1
        }
        #expect(call > 20)
        try DataDirectory(path: name, create: false).close()
    }
}

/// The bytes of a file that is only read.
private final class FileInMemory: File {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    func size() throws(StorageError) -> Int64 { Int64(bytes.count) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageError) -> Int {
        let part = bytes.dropFirst(Int(offset)).prefix(buffer.count)
        buffer.copyBytes(from: part)
        return part.count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageError) { throw .limit("only read") }
    func sync() throws(StorageError) {}
    func allocate(_ length: Int64) throws(StorageError) {}
    func truncate(to length: Int64) throws(StorageError) { throw .limit("only read") }
    func lock() throws(StorageError) -> Bool { true }
    func close() {}
}
