import Protobuf
import RPC
import Testing

/// What a channel does while its servers come and go.
@Suite(.timeLimit(.minutes(1))) struct ReconnectTests {
    @Test func withoutAServerACallFailsUnlessItWaits() async throws {
        let server = try EchoServer()
        let endpoint = server.endpoint
        server.stop()
        try await withChannel([endpoint]) { channel in
            let error = await channel.failure()
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains(endpoint.description) == true)
            let waits = CallOptions(timeout: .milliseconds(60), waitForReady: true)
            #expect(await channel.failure(options: waits)?.code == .deadlineExceeded)
        }
    }

    @Test func aCallThatWaitsIsSentWhenTheServerIsThere() async throws {
        let first = try EchoServer()
        let endpoint = first.endpoint
        first.stop()
        try await withChannel([endpoint]) { channel in
            let answer = Task { try await channel.say("waited", options: CallOptions(waitForReady: true)) }
            #expect(await channel.failure()?.code == .unavailable)
            let second = try EchoServer(port: endpoint.port)
            defer { second.stop() }
            #expect(try await answer.value == "waited")
        }
    }

    @Test func aChannelOutlivesItsServer() async throws {
        let first = try EchoServer()
        let endpoint = first.endpoint
        try await withChannel([endpoint]) { channel in
            #expect(try await channel.say("first") == "first")
            let cut = Task { await channel.failure("wait") }
            try await eventually { first.echo.seen.started == 2 }
            first.stop()
            #expect(await cut.value?.code == .unavailable)
            #expect(await channel.failure()?.code == .unavailable)
            let second = try EchoServer(port: endpoint.port)
            defer { second.stop() }
            try await eventually { (try? await channel.say("second")) == "second" }
        }
    }

    @Test func aServerThatDrainsFinishesItsCallsAndLosesNone() async throws {
        let first = try EchoServer()
        let second = try EchoServer()
        defer { second.stop() }
        try await withChannel([first.endpoint, second.endpoint]) { channel in
            let load = Task {
                var done = 0
                while !Task.isCancelled || done < 100 {
                    if let error = await channel.failure() { throw error }
                    done += 1
                }
                return done
            }
            try await eventually { first.echo.seen.started > 20 && second.echo.seen.started > 20 }
            await first.server.drain(timeout: .seconds(10))
            let before = second.echo.seen.started
            try await eventually { second.echo.seen.started > before + 20 }
            load.cancel()
            // Cancelling the task cancels its last call, where one is under way, and nothing else may have failed.
            do {
                _ = try await load.value
            } catch {
                #expect((error as? RPCError)?.code == .cancelled)
            }
        }
    }

    @Test func callsAreSpreadOverAllServersAndADeadOneIsLeftOut() async throws {
        let servers = try (0..<3).map { _ in try EchoServer() }
        defer { for server in servers { server.stop() } }
        try await withChannel(servers.map(\.endpoint)) { channel in
            // The first call goes to whichever connects first; from then on all take part.
            try await eventually {
                _ = try? await channel.say("x")
                return servers.allSatisfy { $0.echo.seen.started > 0 }
            }
            let before = servers.map(\.echo.seen.started)
            for _ in 0..<30 { #expect(try await channel.say("x") == "x") }
            #expect(zip(servers, before).map { $0.echo.seen.started - $1 } == [10, 10, 10])

            servers[1].stop()
            // Until the end of the connection is seen a call may be lost on it.
            try await eventually {
                for _ in 0..<3 where await channel.failure() != nil { return false }
                return true
            }
            let after = servers.map(\.echo.seen.started)
            for _ in 0..<20 { #expect(try await channel.say("x") == "x") }
            #expect(zip(servers, after).map { $0.echo.seen.started - $1 } == [10, 0, 10])

            let reborn = try EchoServer(port: servers[1].endpoint.port)
            defer { reborn.stop() }
            try await eventually {
                _ = try? await channel.say("x")
                return reborn.echo.seen.started > 0
            }
        }
    }

    @Test func keepaliveFindsADeadConnection() async throws {
        // It takes requests and answers nothing, PINGs neither.
        let server = ScriptedServer(answersPings: false) { _ in [] }
        defer { server.stop() }
        let configure: (inout ClientConfiguration) -> Void = {
            $0.keepaliveInterval = .milliseconds(30)
            $0.keepaliveTimeout = .milliseconds(30)
        }
        try await withChannel([server.endpoint], configure: configure) { channel in
            #expect(await channel.failure()?.code == .unavailable)
        }
    }
}
