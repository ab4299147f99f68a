import Foundation
import Protobuf
import RPC
import Tollgate
import TollgateClient

/// `tollgate demo`: the whole of it in a few seconds, in a directory that is gone afterwards.
enum DemoCommand {
    /// Credits that the demonstration's tenant is given; the sample trace uses about a quarter of them.
    private static let grantedMicros: Int64 = 5_000 * Amount.microsPerCredit
    private static let tenant = "acme"

    static let demo = Subcommand(
        path: ["demo"], summary: "Shows it at work: a server, a tenant, a real run of calls, the proof of its book.",
        details: """
            Starts a server in this process, on a temporary data directory and a free port of this machine,
            meters a small trace of AI calls, meters it again to show that nothing is charged twice, and
            proves the book. Everything is removed afterwards.
            """,
        work: .blocking { (_, console) throws(CommandError) in
            // Before any thread is started: each inherits that these signals are taken by the directory alone.
            let directory = try TemporaryDirectory(removedOnSignals: true)
            defer { directory.remove() }
            try run(in: directory.path, console)
        })

    private static func run(in path: String, _ console: Console) throws(CommandError) {
        let dataPath = path + "/data"
        let server: TollgateServer
        let address: (host: String, port: Int)
        let key: String
        do throws(StartupError) {
            key = try DataDirectoryInit.create(path: dataPath)
            server = try TollgateServer(ServerConfiguration(dataPath: dataPath), log: Logger { _ in })
            address = try server.start()
        } catch {
            throw .failed(error.description)
        }
        defer { server.shutDown(graceMs: Limits.graceSeconds * 1_000) }
        try console.line("Tollgate \(Program.version), a server on \(address.host):\(address.port), every step on disk")
        let operators: ServerConnection
        let service: ServerConnection
        do throws(MetadataError) {
            operators = try ServerConnection(host: address.host, port: UInt16(address.port), key: key)
            service = try ServerConnection(host: address.host, port: UInt16(address.port), key: key, tenant: tenant)
        } catch {
            throw .failed("the demonstration's key cannot be sent: \(error)")
        }
        try waitForTask { () async throws(CommandError) in
            try await makeTenant(operators)
            try await meter(service, console)
        }
        try showProof(dataPath: dataPath, console)
    }

    private static func makeTenant(_ connection: ServerConnection) async throws(CommandError) {
        try await connection.call { (channel) async throws(RPCError) in
            let admin = AdminClient(channel)
            _ = try await admin.createTenant(.with { $0.tenantID = tenant })
            _ = try await admin.grantCredits(
                .with {
                    $0.grantID = CreditCommands.newGrantID()
                    $0.tenantID = tenant
                    $0.kind = .purchased
                    $0.amountMicros = grantedMicros
                })
        }
    }

    private static func meter(_ connection: ServerConnection, _ console: Console) async throws(CommandError) {
        let rows = try sampleRows()
        try console.line("tenant \(tenant) has \(Amount.credits(micros: grantedMicros)) credits")
        let plan = ReplayPlan(
            rows: rows, identity: TraceIdentity(run: "demo"), concurrency: 64, pace: nil, retryNs: 0,
            silenceNs: Int64(Limits.callSeconds) * 1_000_000_000)
        let caller = MeteringCaller(connection.channel, names: MeteringCaller.Names())
        let first = await ReplayCommand.run(plan, caller: caller, console: console)
        try console.write("\n\(grouped(rows.count)) AI calls: reserve the most, call, commit what was used\n")
        try console.write(first.text(indent: 2))
        try check(first)
        let again = await ReplayCommand.run(plan, caller: caller, console: console)
        try check(again)
        try console.write("\nThe same calls again, under the same ids\n")
        try console.write(
            listing(
                [
                    ("replayed", "\(grouped(again.replayedSteps)) of \(grouped(again.steps)) steps"),
                    ("throughput", "\(grouped(Int(again.stepsPerSecond))) steps/s"),
                ], indent: 2))
        let balance = try await connection.call { (channel) async throws(RPCError) in
            let credits = CreditsClient(channel)
            // A report waits until the book on disk holds all that came before, so that the proof below sees it.
            _ = try await credits.listTransactions(.with { $0.pageSize = 1 })
            return try await credits.getBalance(GetBalanceRequest()).balance ?? Balance()
        }
        try console.write("\nBalance\n" + CreditCommands.text(of: balance, indent: 2))
        guard balance.availableMicros == grantedMicros - first.chargedMicros else {
            throw .failed("the balance is not what was granted less what was charged: this must not be")
        }
    }

    private static func sampleRows() throws(CommandError) -> [TraceRow] {
        do throws(TraceError) {
            return try TraceReader.rows(ofText: sampleTrace)
        } catch {
            throw .failed(error.text(path: "sample.csv"))
        }
    }

    private static func check(_ report: ReplayReport) throws(CommandError) {
        guard !report.isComplete else { return }
        throw .failed(report.stopped ?? report.failureLines.first ?? "not every call was metered")
    }

    private static func showProof(dataPath: String, _ console: Console) throws(CommandError) {
        let proofs = try BookProofs.prove(dataPath: dataPath)
        try console.write("\nThe book, proved from its entries\n")
        try console.write(proofs.text)
        if let fault = proofs.faultLines.first { throw .failed(fault) }
    }
}
