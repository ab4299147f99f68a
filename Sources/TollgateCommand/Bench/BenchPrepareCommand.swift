import Ledger
import LoadGenerator
import Locks
import Protobuf
import RPC
import TollgateClient

/// `tollgate bench prepare`: the tenants and credits that `bench load` needs.
enum BenchPrepareCommand {
    private static let credits = OptionSpec.value(
        "--credits", "N", "credits of each tenant, purchased, never expiring", fallback: "1000000000")
    private static let concurrency = OptionSpec.value(
        "--concurrency", "C", "calls in flight at once", fallback: "64")

    static let prepare = Subcommand(
        path: ["bench", "prepare"], summary: "Makes the tenants that 'bench load' meters, with credits.",
        details: "Run again, it changes nothing.",
        options: [BenchOptions.address, BenchOptions.key, BenchOptions.tenants, credits, concurrency],
        work: .calls { (arguments, console) async throws(CommandError) in
            let count = try BenchOptions.tenantCount(arguments)
            let text = try arguments.required(credits)
            guard let micros = Amount.micros(credits: text) else {
                throw arguments.wrong("--credits \(quoted(text)) is no amount of credits more than 0")
            }
            let workers = try arguments.integer(concurrency, in: 1...Limits.replayConcurrency) ?? 1
            let endpoint = try BenchOptions.endpoint(arguments)
            let key = try arguments.required(BenchOptions.key)
            let connection: ServerConnection
            do throws(MetadataError) {
                connection = try ServerConnection(host: endpoint.host, port: endpoint.port, key: key)
            } catch {
                throw arguments.wrong("the key has characters that cannot be sent: give it as it was shown")
            }
            try await makeAll(count, micros: micros, workers: workers, connection, console)
            console.message("\(grouped(count)) tenants have \(text) credits each")
        })
    /// Makes tenants on so many tasks; the first failure ends them all.
    private static func makeAll(
        _ count: Int, micros: Int64, workers: Int, _ connection: ServerConnection, _ console: Console
    ) async throws(CommandError) {
        let progress = Progress(of: count, console)
        let failure = await withTaskGroup(of: CommandError?.self) { group in
            for _ in 0..<min(workers, count) {
                group.addTask {
                    do throws(CommandError) {
                        while let tenant = progress.next() {
                            try await make(tenant, micros: micros, connection)
                            progress.done()
                        }
                        return nil
                    } catch {
                        progress.stop()
                        return error
                    }
                }
            }
            var first: CommandError?
            for await failure in group { first = first ?? failure }
            return first
        }
        if let failure { throw failure }
    }

    private static func make(_ number: Int, micros: Int64, _ connection: ServerConnection) async throws(CommandError) {
        let name = BenchTenants.name(number)
        _ = try await connection.call { (channel) async throws(RPCError) in
            try await AdminClient(channel).createTenant(.with { $0.tenantID = name })
        }
        _ = try await connection.call { (channel) async throws(RPCError) in
            try await AdminClient(channel).grantCredits(
                .with {
                    $0.grantID = grantID(number)
                    $0.tenantID = name
                    $0.kind = .purchased
                    $0.amountMicros = micros
                })
        }
    }

    /// The same for the same tenant always, so that no second run gives anything; of version 7 and of 2025, so that it is
    /// older than every step and costs no look-up.
    private static func grantID(_ number: Int) -> String {
        let milliseconds: UInt64 = 1_735_689_600_000
        return StepID(high: milliseconds << 16 | 0x7000, low: 1 << 63 | UInt64(number)).description
    }
}

/// Which tenant is next, and how many are done.
private final class Progress: Sendable {
    /// After how many tenants it says so.
    private static let step = 10_000

    private struct State {
        var next = 0
        var done = 0
        var isStopped = false
    }

    private let count: Int
    private let console: Console
    private let state = Protected(State())

    init(of count: Int, _ console: Console) {
        self.count = count
        self.console = console
    }

    /// The next tenant; nil where there is none, or no more are wanted.
    func next() -> Int? {
        state.withLock { state in
            guard !state.isStopped, state.next < count else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    func done() {
        let done = state.withLock { state in
            state.done += 1
            return state.done
        }
        if done % Self.step == 0, done < count { console.message("\(grouped(done)) of \(grouped(count)) tenants") }
    }

    func stop() { state.withLock { $0.isStopped = true } }
}
