import CLinux
import Glibc
import HTTP2

/// `tollgate bench echo`: the bare echo of our HTTP/2, which bounds what any call can reach.
enum BenchEchoCommand {
    private static let port = OptionSpec.value(
        "--port", "N", "the port of 127.0.0.1; 0 picks a free one", fallback: "0")

    static let echo = Subcommand(
        path: ["bench", "echo"], summary: "Answers each request of HTTP/2 with its body, until SIGTERM or SIGINT.",
        details: "Prints 'listening on 127.0.0.1:PORT' when it is ready. No gRPC: one thread, nothing but HTTP/2.",
        options: [port],
        work: .blocking { (arguments, console) throws(CommandError) in
            let wanted = try arguments.integer(port, in: 0...Int(UInt16.max)) ?? 0
            // Before any thread is started: each inherits that these signals are taken from here alone.
            let signals = cl_signal_descriptor()
            guard signals >= 0 else { throw .failed("signals cannot be taken: \(String(cString: strerror(errno)))") }
            let server: BareEchoServer
            let address: SocketAddress
            do throws(HTTP2Error) {
                server = try BareEchoServer(port: wanted)
                address = try server.start()
            } catch {
                throw .failed("127.0.0.1:\(wanted) cannot be listened on: \(error); name another --port")
            }
            try console.line("listening on \(address)")
            waitForEnd(signals)
            server.stop()
        })

    /// Blocks until a signal that ends the server comes.
    private static func waitForEnd(_ signals: Int32) {
        while true {
            let signal = cl_signal_read(signals)
            if signal == SIGTERM || signal == SIGINT { return }
            var ready = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            poll(&ready, 1, -1)
        }
    }
}
