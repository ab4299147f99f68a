import Foundation
import Testing

@testable import Storage

@Suite struct SparePreparerTests {
    @Test func theNameOfATakenSpareIsNotGivenToAnotherFileBeforeItIsReleased() throws {
        let directory = NSTemporaryDirectory() + "tollgate-spare-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        func trimmed(_ first: UInt64) throws -> Segment {
            let path = directory + "/" + Segment.name(first: first)
            try Data("segment of record \(first)".utf8).write(to: URL(fileURLWithPath: path))
            return Segment(first: first, epoch: 1, path: path, usedBytes: 0, fileBytes: 100)
        }
        let spares = SparePreparer(
            directory: directory, fileSystem: LocalFileSystem(), segmentBytes: 100, preparation: .never)

        #expect(try spares.recycle(trimmed(1)))
        let taken = spares.take()
        #expect(taken != nil)
        // A trim at this moment: the taker has yet to rename the file that it was given.
        #expect(try spares.recycle(trimmed(2)) == false)
        #expect(try String(contentsOfFile: spares.path, encoding: .utf8) == "segment of record 1")

        try FileManager.default.moveItem(atPath: spares.path, toPath: directory + "/begun")
        spares.release()
        #expect(try spares.recycle(trimmed(3)))
        #expect(try String(contentsOfFile: spares.path, encoding: .utf8) == "segment of record 3")
        taken?.close()
        spares.close()
    }
}
