import CLinux
import Foundation
import Glibc
import Ledger
import RPC
import Tollgate

/// `tollgate serve`: the server, until a signal ends it.
enum ServeCommand {
    private static let listen = OptionSpec.value(
        "--listen", "HOST:PORT", "where to listen; port 0 picks a free one", fallback: ServerConnection.defaultAddress)
    private static let catalog = OptionSpec.value(
        "--catalog", "FILE", "prices, plans, packs and roles; else the catalog that was applied last, or a built-in one"
    )
    private static let testClock = OptionSpec.value(
        "--test-clock", "TIME", "time stands at this moment, such as 2026-03-01T12:00:00Z, and moves by TestClock alone"
    )
    private static let maxRequest = OptionSpec.value(
        "--max-request-bytes", "N", "how large a request message may be", fallback: String(4 << 20))
    private static let loops = OptionSpec.value(
        "--loops", "N", "threads that read and write connections", fallback: "1")
    private static let connections = OptionSpec.value(
        "--max-connections", "N", "how many connections there may be; idle ones give way to new ones",
        fallback: String(ConnectionLimits().connectionsMax))
    private static let peerSeconds = OptionSpec.value(
        "--peer-seconds", "N", "how long a caller may take to send a whole request, or to read what waits for it",
        fallback: String(ConnectionLimits().peerSeconds))
    private static let cancels = OptionSpec.value(
        "--cancels-per-second", "N",
        "calls that a tenant may cancel beside as many as it lets end; 30 times that at once",
        fallback: String(ConnectionLimits().cancelsPerSecond))
    private static let resets = OptionSpec.value(
        "--resets-per-second", "N",
        "RST_STREAM of a connection for which no tenant answers; 30 times that at once",
        fallback: String(ConnectionLimits().resetsPerSecond))
    private static let grace = OptionSpec.value(
        "--grace-seconds", "N", "how long steps under way may take to finish when the server ends",
        fallback: String(Limits.graceSeconds))

    static let serve = Subcommand(
        path: ["serve"], summary: "Serves a data directory until SIGTERM or SIGINT.",
        details: """
            Prints 'listening on HOST:PORT' on standard output when it is ready, and logs on standard error.
            A signal lets steps under way finish; a second one ends the server at once, which loses nothing
            that was answered. SIGHUP reads the file of --catalog again; one with a fault changes nothing.
            """,
        options: [
            InitCommand.data, listen, catalog, testClock, maxRequest, loops, connections, peerSeconds, cancels, resets,
            grace,
        ],
        work: .blocking { (arguments, console) throws(CommandError) in
            let configuration = try configuration(arguments)
            let graceMs = (try arguments.integer(grace, in: 0...Limits.graceSecondsAtMost) ?? 0) * 1_000
            // Before any thread is started: each inherits that these signals are taken from here alone.
            let signals = cl_signal_descriptor()
            guard signals >= 0 else { throw .failed("signals cannot be taken: \(String(cString: strerror(errno)))") }
            // Loops allocate most. What a thread that loads books leaves free is theirs to use.
            cl_heaps(Int32(configuration.loopCount))
            let log = Logger()
            let server: TollgateServer
            let address: (host: String, port: Int)
            do throws(StartupError) {
                server = try TollgateServer(configuration, log: log)
                address = try server.start()
            } catch {
                throw .failed(error.description)
            }
            let text = Endpoint(host: address.host, port: UInt16(address.port)).description
            try console.line("listening on \(text)")
            log.info(
                "serving",
                [
                    "version": Program.version, "address": text, "data": configuration.dataPath,
                    "catalog": server.catalogVersion == 0 ? "built-in" : String(server.catalogVersion),
                ])
            waitForEnd(signals, server, log)
            endAtOnceOnSignal(signals)
            server.shutDown(graceMs: graceMs)
        })

    private static func configuration(_ arguments: ParsedArguments) throws(CommandError) -> ServerConfiguration {
        var configuration = ServerConfiguration(dataPath: try arguments.required(InitCommand.data))
        let address = try arguments.required(listen)
        guard let (host, port) = listenAddress(address) else {
            throw arguments.wrong(
                "--listen \(quoted(address)) is not HOST:PORT, such as \(ServerConnection.defaultAddress)")
        }
        configuration.host = host
        configuration.port = port
        configuration.catalogPath = arguments.value(catalog)
        configuration.maxRequestBytes =
            try arguments.integer(maxRequest, in: Limits.requestBytes) ?? configuration.maxRequestBytes
        configuration.loopCount = try arguments.integer(loops, in: Limits.loops) ?? configuration.loopCount
        var limits = ConnectionLimits()
        limits.connectionsMax = try arguments.integer(connections, in: Limits.connections) ?? limits.connectionsMax
        limits.peerSeconds = try arguments.integer(peerSeconds, in: Limits.peerSeconds) ?? limits.peerSeconds
        limits.cancelsPerSecond = try arguments.integer(cancels, in: Limits.perSecond) ?? limits.cancelsPerSecond
        limits.resetsPerSecond = try arguments.integer(resets, in: Limits.perSecond) ?? limits.resetsPerSecond
        configuration.connections = limits
        if let text = arguments.value(testClock) {
            guard let microseconds = TimeText.microseconds(text, requiresZone: true) else {
                throw arguments.wrong("--test-clock \(quoted(text)) is no time such as 2026-03-01T12:00:00Z")
            }
            configuration.testClockStart = Instant(microseconds: microseconds)
        }
        return configuration
    }

    /// Host and port; unlike an address to connect to, the port may be 0.
    static func listenAddress(_ text: String) -> (host: String, port: Int)? {
        if let endpoint = Endpoint(text) { return (endpoint.host, Int(endpoint.port)) }
        guard text.hasSuffix(":0"), let endpoint = Endpoint(text.dropLast() + "1") else { return nil }
        return (endpoint.host, 0)
    }

    /// Blocks until SIGTERM or SIGINT; SIGHUP has the catalog read again.
    private static func waitForEnd(_ signals: Int32, _ server: TollgateServer, _ log: Logger) {
        while true {
            switch nextSignal(signals) {
            case SIGHUP: server.reloadCatalog()
            case let signal:
                log.info("ending", ["signal": signal == SIGINT ? "SIGINT" : "SIGTERM"])
                return
            }
        }
    }

    /// From now on a signal ends the process without waiting for anything. What was answered is on the disk.
    private static func endAtOnceOnSignal(_ signals: Int32) {
        let thread = Thread {
            while nextSignal(signals) == SIGHUP {}
            _exit(1)
        }
        thread.name = "signals"
        thread.start()
    }

    /// Blocks until a signal comes.
    private static func nextSignal(_ signals: Int32) -> Int32 {
        while true {
            let signal = cl_signal_read(signals)
            if signal > 0 { return signal }
            var ready = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            poll(&ready, 1, -1)
        }
    }
}
