import Foundation
import RPC
import Testing

/// Answers that are made before they may be sent, over every transport.
@Suite(.timeLimit(.minutes(1))) struct PreparedAnswerTests {
    @Test(arguments: TransportKind.allCases)
    func whatWasPreparedIsSentWhenItMayBe(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            for text in ["here", "elsewhere"] {
                let answer = await server.call(EchoService.bare, text)
                #expect(answer.code == .ok && answer.messages.map(\.text) == [text])
            }
        }
    }

    @Test(arguments: TransportKind.allCases)
    func whatIsTakenBackIsNeverSeen(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            let answer = await server.call(EchoService.bare, "dropped")
            #expect(answer.code == .unavailable && answer.message == "taken back" && answer.messages.isEmpty)
        }
    }

    /// A loop keeps calls for the next ones, and each holds its loop: one that has ended must be let go of with its descriptors.
    @Test(arguments: TransportKind.allCases)
    func aServerThatHasEndedHoldsNoDescriptor(transport: TransportKind) async throws {
        let serve = {
            try await withServer(transport) { server in
                for _ in 0..<10 { #expect(await server.call(EchoService.bare, "here").code == .ok) }
            }
        }
        // What the process opens once is open by then.
        try await serve()
        let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        for _ in 0..<5 { try await serve() }
        var after = Int.max
        for _ in 0..<200 where after > before + 1 {
            after = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
            if after > before + 1 { try await Task.sleep(for: .milliseconds(50)) }
        }
        #expect(after <= before + 1, "each server that is kept holds three")
    }

    @Test(arguments: TransportKind.allCases)
    func aPreparedErrorIsTheAnswer(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            let answer = await server.call(EchoService.bare, "refused")
            #expect(answer.code == .failedPrecondition && answer.message == "no" && answer.messages.isEmpty)
        }
    }

    @Test(arguments: TransportKind.allCases)
    func metadataStandsBehindWhatWasPrepared(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            let answer = await server.call(EchoService.bare, "metadata")
            #expect(answer.messages.map(\.text) == ["metadata"])
            #expect(answer.trailers.texts("x-trailing") == ["after"])
        }
    }

    /// Calls are used again once they have ended: none may keep anything of the one before it.
    @Test(arguments: TransportKind.allCases)
    func callsThatFollowEachOtherDoNotMix(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            for round in 0..<50 {
                await withTaskGroup(of: Void.self) { group in
                    for (number, text) in ["here", "dropped", "metadata", "refused", "elsewhere"].enumerated() {
                        group.addTask {
                            let answer = await server.call(EchoService.bare, text, count: Int64(round * 10 + number))
                            let isAnswered = text != "dropped" && text != "refused"
                            #expect(answer.messages.map(\.count) == (isAnswered ? [Int64(round * 10 + number)] : []))
                            #expect(answer.trailers.texts("x-trailing") == (text == "metadata" ? ["after"] : []))
                        }
                    }
                }
            }
        }
    }
}
