import Glibc
import LoadGenerator
import RPC

/// `tollgate bench load`: how fast a server is.
enum BenchLoadCommand {
    private static let work = OptionSpec.value(
        "--work", "WORK", "steps, balance, batch, meter or echo", fallback: "steps")
    private static let connections = OptionSpec.value("--connections", "C", "connections", fallback: "8")
    private static let inFlight = OptionSpec.value(
        "--in-flight", "N", "calls in flight on each connection; on a Meter stream steps", fallback: "64")
    private static let seconds = OptionSpec.value("--seconds", "S", "how long is measured", fallback: "10")
    private static let warmup = OptionSpec.value(
        "--warmup", "S", "how long the same is done before that", fallback: "1")
    private static let rate = OptionSpec.value(
        "--rate", "N", "steps per second, begun evenly; else as many as it can")
    private static let deadline = OptionSpec.value(
        "--deadline-ms", "D", "measures overload: callers wait so long, and may be refused")
    private static let modest = OptionSpec.value(
        "--modest-rate", "N", "beside it N steps per second of the tenant after the others, told apart")
    private static let modestConnection = OptionSpec.toggle(
        "--modest-connection", "these over a connection of their own, not over the first")
    private static let batchSize = OptionSpec.value("--batch-size", "N", "steps of one Batch", fallback: "1000")

    static let load = Subcommand(
        path: ["bench", "load"], summary: "Measures how fast a server is, and checks every answer.",
        details: """
            steps    each lane of a connection reserves, then commits what it reserved, and so on
            balance  GetBalance
            batch    a Batch of reserves, then one of their commits, and so on
            meter    reserves and commits on one Meter stream for each connection
            echo     calls of the same shape to 'tollgate bench echo'
            The tenants, made by 'tollgate bench prepare', take turns. The prices are those of the built-in
            catalog. Any wrong answer makes the exit status 1.
            """,
        options: [
            BenchOptions.address, BenchOptions.key, work, connections, inFlight, BenchOptions.tenants, seconds, warmup,
            rate, batchSize, deadline, modest, modestConnection, BenchOptions.json,
        ],
        work: .blocking { (arguments, console) throws(CommandError) in
            let plan = try plan(arguments)
            let report: LoadReport
            do throws(LoadError) {
                report = try plan.run()
            } catch {
                throw .failed(error.sentence)
            }
            if arguments.has(BenchOptions.json) {
                try console.line(report.json.text)
            } else {
                try console.write(report.text)
            }
            if report.errors > 0 { throw .reported }
        })

    private static func plan(_ arguments: ParsedArguments) throws(CommandError) -> LoadPlan {
        let name = try arguments.required(work)
        guard let work = LoadPlan.Work(rawValue: name) else {
            let known = LoadPlan.Work.allCases.map(\.rawValue).joined(separator: ", ")
            throw arguments.wrong("--work \(quoted(name)) must be one of: \(known)")
        }
        let endpoint = try BenchOptions.endpoint(arguments)
        let key = work == .echo ? arguments.value(BenchOptions.key) ?? "none" : try arguments.required(BenchOptions.key)
        var plan = LoadPlan(
            host: endpoint.host, port: endpoint.port, key: key, work: work,
            connections: try arguments.integer(connections, in: LoadLimits.connections) ?? 1,
            inFlight: try arguments.integer(inFlight, in: LoadLimits.inFlight) ?? 1,
            tenants: try BenchOptions.tenantCount(arguments),
            measureNs: try nanoseconds(seconds, arguments, in: LoadLimits.seconds))
        plan.warmupNs = try nanoseconds(warmup, arguments, in: LoadLimits.warmupSeconds)
        plan.stepsPerSecond = try arguments.integer(rate, in: LoadLimits.rate)
        plan.deadlineNs = try arguments.integer(deadline, in: LoadLimits.deadlineMs).map { Int64($0) * 1_000_000 }
        plan.modestPerSecond = try arguments.integer(modest, in: LoadLimits.rate)
        plan.modestHasConnection = plan.modestPerSecond != nil && arguments.has(modestConnection)
        if plan.deadlineNs != nil || plan.modestPerSecond != nil, work != .steps {
            throw arguments.wrong("--deadline-ms and --modest-rate are for --work steps")
        }
        plan.batchSize = try arguments.integer(batchSize, in: LoadLimits.batchSize) ?? 1
        return plan
    }

    private static func nanoseconds(
        _ option: OptionSpec, _ arguments: ParsedArguments, in range: ClosedRange<Int>
    ) throws(CommandError) -> Int64 {
        Int64(try arguments.integer(option, in: range) ?? 0) * 1_000_000_000
    }
}

extension LoadError {
    /// What went wrong and what to do, in one line.
    var sentence: String {
        switch self {
        case .unresolvable(let host, let reason): "\(host) has no address: \(reason)"
        case .unreachable(let address, let reason):
            "\(address) cannot be reached: \(reason); start the server, or name another in --address"
        case .tooMuchInFlight(let steps, let allowed):
            "\(grouped(steps)) steps in flight are more than \(grouped(allowed)): take fewer connections, --in-flight or --batch-size"
        case .system(let call, let errno): "\(call) fails: \(String(cString: strerror(errno)))"
        }
    }
}
