import Foundation
import Protobuf
import SeededRandom
import Testing

/// Random messages go to Google's implementations and come back, and the other way round.
struct OtherImplementationsTests {
    @Test func protocReadsWhatWeWriteAndWeReadWhatProtocWrites() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let list = AllTypesList.with { list in list.items = (0..<150).map { _ in random.allTypes() } }
        let text = try OtherImplementations.protoc(
            ["--decode=tollgate.test.AllTypesList"], input: Data(list.wireBytes()))
        let bytes = try OtherImplementations.protoc(["--encode=tollgate.test.AllTypesList"], input: text)
        let again = try AllTypesList(wireBytes: [UInt8](bytes))
        #expect(again.items.count == list.items.count, "seed \(seed)")
        for (index, (sent, received)) in zip(list.items, again.items).enumerated() {
            #expect(sent == received, "seed \(seed), message \(index)")
        }
    }

    @Test func ourBytesAreProtocsDeterministicBytes() throws {
        // Maps are left out, since protoc orders their keys as bytes and Swift as characters.
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let message = AllTypes.with { $0.inners = random.allTypes().inners }
        let text = try OtherImplementations.protoc(
            ["--decode=tollgate.test.AllTypes"], input: Data(message.wireBytes()))
        let bytes = try OtherImplementations.protoc(
            ["--encode=tollgate.test.AllTypes", "--deterministic_output"], input: text)
        #expect([UInt8](bytes) == message.wireBytes(), "seed \(seed)")
    }

    @Test func pythonReadsWhatWeWriteAndWeReadWhatPythonWrites() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let script = OtherImplementations.root.appending(path: "Tests/Clients/protobuf_roundtrip.py").path
        try OtherImplementations.withTemporaryFolder { folder in
            func python(_ arguments: String...) throws {
                do {
                    _ = try OtherImplementations.run(OtherImplementations.python, [script] + arguments)
                } catch {
                    Issue.record("seed \(seed): \(error)")
                }
            }
            _ = try OtherImplementations.protoc(
                ["--include_imports", "--descriptor_set_out=" + folder.appending(path: "schema.bin").path])
            let messages = (0..<200).map { _ in random.allTypes() }
            try writeRecords(messages.map { $0.wireBytes() }, to: folder.appending(path: "swift.bin"))
            let shown = (0..<100).map { _ in random.allTypes(packs: false) }
            try writeRecords(shown.map { $0.wireBytes() }, to: folder.appending(path: "shown.bin"))
            try writeRecords(shown.map { Array($0.jsonString().utf8) }, to: folder.appending(path: "shown.json"))
            try python("exchange", folder.path, "\(seed)", "200")

            let echoed = try readRecords(folder.appending(path: "swift.echo.bin"))
            #expect(echoed.count == messages.count, "seed \(seed)")
            for (index, (message, bytes)) in zip(messages, echoed).enumerated() {
                #expect(try AllTypes(wireBytes: bytes) == message, "seed \(seed), message \(index)")
            }

            let made = try readRecords(folder.appending(path: "python.bin"))
            let again = try made.map { try AllTypes(wireBytes: $0).wireBytes() }
            let older = try made.map { try OlderTypes(wireBytes: $0).wireBytes() }
            try writeRecords(again, to: folder.appending(path: "python.echo.bin"))
            try writeRecords(older, to: folder.appending(path: "python.older.bin"))
            try python("verify", folder.path)
        }
    }

    /// Writes byte strings behind each other, each behind its length in four little-endian bytes.
    private func writeRecords(_ records: [[UInt8]], to file: URL) throws {
        var data = Data()
        for record in records {
            withUnsafeBytes(of: UInt32(record.count).littleEndian) { data.append(contentsOf: $0) }
            data.append(contentsOf: record)
        }
        try data.write(to: file)
    }

    /// Reads what `writeRecords` wrote.
    private func readRecords(_ file: URL) throws -> [[UInt8]] {
        let data = [UInt8](try Data(contentsOf: file))
        var records: [[UInt8]] = []
        var position = 0
        while position < data.count {
            let length = (0..<4).reduce(0) { $0 | Int(data[position + $1]) << ($1 * 8) }
            records.append(Array(data[position + 4..<position + 4 + length]))
            position += 4 + length
        }
        return records
    }
}
