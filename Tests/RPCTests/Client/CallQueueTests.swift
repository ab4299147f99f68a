import HTTP2
import SeededRandom
import Testing

@testable import RPC

/// The queue and the buffers of calls, against plain models of them.
@Suite struct CallQueueTests {
    private final class Call: ChannelCall {
        let number: Int
        let waitsForReady: Bool
        var isQueued = false
        var isOver = false

        init(_ number: Int, waitsForReady: Bool = false) {
            self.number = number
            self.waitsForReady = waitsForReady
        }

        func open(on connection: ClientConnection) {}
        func fail(_ error: RPCError) {}
    }

    @Test func callsLeaveInTheOrderInWhichTheyCameWithoutThoseThatEnded() {
        let seed = freshSeed()
        var random = SeededRandom(seed: seed)
        var queue = CallQueue(limit: 1_000_000)
        var model: [Call] = []
        for number in 0..<50_000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let call = Call(number)
                queue.append(call)
                model.append(call)
            case 5..<8:
                let popped = queue.popFirst() as? Call
                let expected = model.isEmpty ? nil : model.removeFirst()
                #expect(popped === expected, "seed \(seed)")
            default:
                guard let index = model.indices.randomElement(using: &random) else { continue }
                let call = model.remove(at: index)
                call.isOver = true
                queue.lost(call)
            }
            #expect(queue.count == model.count, "seed \(seed)")
        }
    }

    @Test func theQueueIsFullAtItsLimit() {
        var queue = CallQueue(limit: 2)
        let first = Call(0)
        queue.append(first)
        queue.append(Call(1))
        #expect(queue.isFull)
        first.isOver = true
        queue.lost(first)
        #expect(!queue.isFull)
    }

    @Test func someCanBeTakenOutAndTheRestKeepsItsOrder() {
        var queue = CallQueue(limit: 100)
        for number in 0..<10 { queue.append(Call(number, waitsForReady: number.isMultiple(of: 2))) }
        let removed = queue.removeAll { !$0.waitsForReady }
        #expect(removed.compactMap { ($0 as? Call)?.number } == [1, 3, 5, 7, 9])
        #expect(queue.count == 5)
        #expect((0..<5).map { _ in (queue.popFirst() as? Call)?.number } == [0, 2, 4, 6, 8])
        #expect(queue.popFirst() == nil)
    }

    @Test func whatWasSentCanBeSentAgainUpToTheBound() {
        var messages = OutgoingMessages()
        for number in 0..<3 as Range<UInt8> { messages.append([number]) }
        messages.finish()
        for attempt in 0..<2 {
            var sent: [[UInt8]] = []
            var isLast = false
            while let next = messages.take() {
                #expect(!isLast, "nothing follows the end")
                sent.append(next.frame)
                isLast = next.isLast
            }
            #expect(sent == [[0], [1], [2]] && isLast, "attempt \(attempt)")
            #expect(messages.byteCount == 0)
            messages.rewind()
        }
        var large = OutgoingMessages()
        large.append([UInt8](repeating: 0, count: Limits.replayBytes + 1))
        #expect(large.isFull)
        _ = large.take()
        #expect(!large.canRewind)
    }

    @Test func theEndGoesAloneWhereAllWasSentBefore() {
        var messages = OutgoingMessages()
        messages.append([1])
        #expect(messages.take()?.isLast == false)
        #expect(messages.take() == nil)
        messages.finish()
        let end = messages.take()
        #expect(end?.frame == [] && end?.isLast == true)
        #expect(messages.take() == nil)
        messages.append([2])
        #expect(messages.byteCount == 0, "nothing is taken after the end")
    }

    @Test func creditIsDueInBatchesOfTakenBytes() {
        var messages = IncomingMessages()
        let size = Limits.creditBatchBytes / 4
        for _ in 0..<8 { messages.append([UInt8](repeating: 0, count: size)) }
        var credited = 0
        while messages.take() != nil {
            if messages.creditIsDue { credited += messages.takeCredit() }
        }
        credited += messages.takeCredit()
        #expect(credited == 8 * (size + MessageDeframer.prefixBytes))
    }

    @Test func headersAreTheSameForEveryCallButForItsTimeout() {
        var templates = RequestHeaderTemplates(authority: "a:1", metadata: ["authorization": "Bearer k"])
        let method = MethodDescriptor(service: "s.S", name: "M", shape: .unary)
        for timeout in [nil, 1_000_000, nil, 2_000_000, 1_000_000] as [Int64?] {
            let headers = templates.headers(for: method, timeoutNs: timeout)
            #expect(headers.value(of: ":path") == "/s.S/M" && headers.value(of: ":authority") == "a:1")
            #expect(headers.value(of: "te") == "trailers" && headers.value(of: "authorization") == "Bearer k")
            #expect(headers.value(of: "grpc-timeout") == timeout.map { CallTimeout.format(nanoseconds: $0) })
        }
    }
}
