import RPC
import SeededRandom
import Testing

@Suite struct MessageDeframerTests {
    /// All messages that a deframer gives for bytes that arrive in these pieces.
    private func messages(_ pieces: [[UInt8]], limit: Int = 100) throws -> [[UInt8]] {
        var deframer = MessageDeframer(limit: limit)
        var found: [[UInt8]] = []
        for piece in pieces {
            piece.withUnsafeBytes { deframer.push($0) }
            while let message = try deframer.next() { found.append(message) }
        }
        return found
    }

    @Test func messagesComeOutAsTheyWentInHoweverTheBytesAreCut() throws {
        let seed = freshSeed()
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let sent = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                random.bytes(Int.random(in: 0...60, using: &random))
            }
            var rest = sent.flatMap(MessageFraming.frame)[...]
            var pieces: [[UInt8]] = []
            while !rest.isEmpty {
                let count = min(rest.count, Int.random(in: 1...40, using: &random))
                pieces.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            #expect(try messages(pieces) == sent, "seed \(seed)")
        }
    }

    @Test func thePrefixAloneRefusesAMessageOverTheLimit() {
        #expect(throws: DeframeError.tooLarge(bytes: 101, limit: 100)) { try messages([[0, 0, 0, 0, 101]]) }
        #expect(throws: DeframeError.tooLarge(bytes: 0xFFFF_FFFF, limit: 100)) {
            try messages([[0, 255, 255, 255, 255]])
        }
        #expect(throws: Never.self) { try messages([[0, 0, 0, 0, 100]]) }
    }

    @Test func flagsAreCheckedOnTheFirstByte() {
        #expect(throws: DeframeError.compressed) { try messages([[1]]) }
        #expect(throws: DeframeError.badFlag(2)) { try messages([[2]]) }
        #expect(throws: DeframeError.badFlag(255)) { try messages([[255, 0, 0, 0, 1]]) }
    }

    @Test func whatIsNotWholeStaysPending() throws {
        var deframer = MessageDeframer(limit: 100)
        ([0, 0, 0, 0, 3, 1, 2] as [UInt8]).withUnsafeBytes { deframer.push($0) }
        #expect(try deframer.next() == nil)
        #expect(deframer.pendingBytes == 7)
        ([3, 0] as [UInt8]).withUnsafeBytes { deframer.push($0) }
        #expect(try deframer.next() == [1, 2, 3])
        #expect(deframer.pendingBytes == 1)
    }

    @Test(arguments: [
        ([0, 0, 0, 0, 1, 7] as [UInt8], [7] as [UInt8]?), ([0, 0, 0, 0, 0], []), ([], nil), ([0, 0, 0, 0, 1], nil),
        ([0, 0, 0, 0, 1, 7, 0], nil), ([0, 0], nil),
    ])
    func aSingleMessageIsSeenInPlace(bytes: [UInt8], message: [UInt8]?) throws {
        let found = try bytes.withUnsafeBytes { try MessageDeframer.single(in: $0, limit: 100).map { Array($0) } }
        #expect(found == message)
    }
}
