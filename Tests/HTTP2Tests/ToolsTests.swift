import Glibc
import HTTP2
import Testing

/// Our server with nghttp2's own tools.
@Suite struct ToolsTests {
    /// Runs a command and answers what it printed.
    private func run(_ command: String) throws -> String {
        let pipe = try #require(popen(command + " 2>&1", "r"))
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { text += buffer[..<count] }
        pclose(pipe)
        return String(decoding: text, as: UTF8.self)
    }

    @Test("h2load finds every request answered, over several connections and loops", arguments: [1, 2])
    func h2load(loops: Int) async throws {
        try await TestServer.with(loops: loops) { server in
            let options = "-n 20000 -c 8 -m 64 -d '\(#filePath)'"
            let text = try run("timeout 60 h2load \(options) http://127.0.0.1:\(server.port)/echo")
            #expect(text.contains("20000 succeeded, 0 failed, 0 errored"), "\(text)")
            #expect(await eventually { server.metrics.active == 0 })
        }
    }

    @Test("nghttp reads headers, data and trailers")
    func nghttp() async throws {
        try await TestServer.with { server in
            let options = "-v -H ':method: POST' -H 'trailer: x' -d '\(#filePath)'"
            let text = try run("timeout 20 nghttp \(options) http://127.0.0.1:\(server.port)/echo")
            #expect(text.contains(":status: 200"), "\(text)")
            #expect(text.contains("/// Our server with nghttp2's own tools."), "\(text)")
            #expect(text.contains("grpc-status: 0"), "\(text)")
        }
    }

    @Test("out of descriptors, accepting pauses and goes on later", .timeLimit(.minutes(1)))
    func outOfDescriptors() async {
        await #expect(processExitsWith: .success) {
            let loop = try EventLoop(name: "loop")
            try loop.start()
            let log = EventLog()
            let listener = try HTTP2Listener(loops: [loop], host: "127.0.0.1", port: 0) {
                TestConnectionHandler(connection: $0, log: log)
            }
            // The kernel's queue holds them until accepting begins.
            let peers = try (0..<20).map { _ in try RawPeer(port: listener.localAddress.port) }
            let free = dup(0)
            close(free)
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let enough = limit.rlim_cur
            limit.rlim_cur = rlim_t(free) + 5
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            listener.start()
            // No Task.sleep here: Dispatch would want a descriptor for it.
            while listener.metrics.count(of: .acceptPauses) < 2 { usleep(1_000) }
            precondition(listener.metrics.active < 20)
            limit.rlim_cur = enough
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            while listener.metrics.active < 20 { usleep(1_000) }
            withExtendedLifetime(peers) {}
        }
    }
}
