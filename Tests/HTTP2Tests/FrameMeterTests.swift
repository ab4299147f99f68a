import SeededRandom
import Testing

@testable import HTTP2

/// What a peer's frames cost it.
@Suite struct FrameMeterTests {
    private func cost(_ frames: [RawFrame], _ role: HTTP2Connection.Role = .server) -> Int {
        var meter = FrameMeter(role)
        if role == .server { _ = cost(of: [UInt8](repeating: 0, count: 24), &meter) }
        return cost(of: frames.flatMap(\.bytes), &meter)
    }

    private func cost(of bytes: [UInt8], _ meter: inout FrameMeter) -> Int {
        bytes.withUnsafeBytes { meter.cost(of: $0) }
    }

    @Test("calls are free, what no call needs costs a token, and whole pieces of a message bring one")
    func costs() {
        let free: [RawFrame] = [
            .request(1, path: "/", endStream: false), .data(1, [1], endStream: true), .data(1, [], endStream: true),
        ]
        for frame in free { #expect(cost([frame]) == 0, "\(frame)") }
        let dear: [RawFrame] = [
            .settings(), .ping(), .windowUpdate(0, 1), .reset(1, 8), .data(1, [], endStream: false),
            .data(1, [UInt8](repeating: 0, count: 31), endStream: false),
            RawFrame(kind: .data, flags: 0x8, stream: 1, payload: [UInt8](repeating: 255, count: 256)),
            RawFrame(kind: .continuation, stream: 1), RawFrame(kind: .goaway, payload: [UInt8](repeating: 0, count: 8)),
            RawFrame(kind: .priority, stream: 1, payload: [0, 0, 0, 3, 0]),
        ]
        for frame in dear { #expect(cost([frame]) == 1, "\(frame)") }
        #expect(cost([.data(1, [UInt8](repeating: 0, count: 32), endStream: false)]) == -1)
        // To a client, a server's small messages and credits are what it asked for.
        #expect(cost([.data(1, [1], endStream: false), .windowUpdate(0, 1), .reset(1, 8)], .client) == 0)
        #expect(cost([.data(1, [], endStream: false), .settings(), .ping()], .client) == 3)
    }

    @Test("the sum is the same however the bytes are cut", arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func cuts(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let frames = (0..<200).map { _ in
            RawFrame(
                kind: RawFrame.Kind(rawValue: UInt8.random(in: 0...9, using: &random))!,
                flags: UInt8.random(in: 0...255, using: &random), stream: UInt32.random(in: 0...9, using: &random),
                payload: [UInt8](repeating: 1, count: Int.random(in: 0...60, using: &random)))
        }
        let bytes = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frames.flatMap(\.bytes)
        var whole = FrameMeter(.server)
        let expected = cost(of: bytes, &whole)
        #expect(expected == cost(frames))
        var meter = FrameMeter(.server)
        var sum = 0
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + Int.random(in: 1...40, using: &random))
            sum += cost(of: Array(bytes[at..<end]), &meter)
            at = end
        }
        #expect(sum == expected, "seed \(seed)")
        #expect(meter.headersFrames == frames.count { $0.kind == .headers })
    }

    @Test("however many hold as much as they may, some is left, and never more is held than there is")
    func holdings() {
        var holdings = LoopHoldings()
        for _ in 0..<10_000 {
            holdings.outputBytes += holdings.outputShare
            holdings.streams += (Limits.loopStreamsMax - holdings.streams) / Limits.loopShare
        }
        #expect(holdings.outputBytes <= Limits.loopOutputBytesMax)
        #expect(holdings.streamShare >= Limits.leastStreams)
        #expect(LoopHoldings().outputShare >= 4 << 20)
    }
}
