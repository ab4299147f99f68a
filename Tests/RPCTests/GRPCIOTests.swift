import Foundation
import HTTP2
import Protobuf
import RPC
import Testing

/// The most used client, grpcio with its C core, against our server. What it checks stands in
/// Tests/Clients/echo_wire.py.
@Suite(.timeLimit(.minutes(3))) struct GRPCIOTests {
    /// The repository's root, also where this file is seen through a link.
    private static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test func grpcioIsContentWithTheServer() async throws {
        let registry = ServiceRegistry()
        EchoService().register(in: registry)
        let health = HealthStatus()
        HealthReporter(health).register(in: registry)
        try ReflectionServer(services: registry.services, files: []).registerBoth(in: registry)
        var configuration = RPCServerConfiguration()
        configuration.loopCount = 2
        let server = RPCServer(registry: registry, configuration: configuration, health: health)
        let address = try server.start()
        defer { server.stop() }
        let (status, output) = try await run(address)
        #expect(status == 0, "\(output)")
        // Nothing holds a call any more, once the handlers of cancelled ones have seen so.
        try await eventually { server.callCounts.active == 0 }
    }

    /// Runs the Python file against a server; gives its exit status and what it printed.
    private func run(_ address: SocketAddress) async throws -> (status: Int32, output: String) {
        let python = ProcessInfo.processInfo.environment["TOLLGATE_PYTHON"] ?? ".venv/bin/python"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python, relativeTo: GRPCIOTests.root)
        process.arguments = [
            "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--noconftest", "Tests/Clients/echo_wire.py",
        ]
        process.currentDirectoryURL = GRPCIOTests.root
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["TOLLGATE_ECHO": "\(address)", "PYTHONDONTWRITEBYTECODE": "1"], uniquingKeysWith: { $1 })
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        return try await withCheckedThrowingContinuation { continuation in
            // Reading blocks until Python ends, so it has a thread of its own.
            Thread.detachNewThread {
                do {
                    try process.run()
                    let output = pipe.fileHandleForReading.readDataToEndOfFile()
                    process.waitUntilExit()
                    let text = String(decoding: output, as: UTF8.self)
                    continuation.resume(returning: (process.terminationStatus, text))
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }
}
