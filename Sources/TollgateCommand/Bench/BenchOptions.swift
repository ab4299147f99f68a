import LoadGenerator
import RPC

/// Options that several of the `bench` commands take.
enum BenchOptions {
    static let address = OptionSpec.value(
        "--address", "HOST:PORT", "where the server listens", environment: "TOLLGATE_SERVER",
        fallback: ServerConnection.defaultAddress)
    static let key = OptionSpec.value(
        "--key", "KEY", "an API key of role platform for all tenants", environment: "TOLLGATE_KEY")
    static let tenants = OptionSpec.value("--tenants", "T", "how many tenants: bench-000000 and on", fallback: "1")
    static let json = OptionSpec.toggle("--json", "print the result as JSON, on one line")

    /// The server's address, read.
    static func endpoint(_ arguments: ParsedArguments) throws(CommandError) -> Endpoint {
        let text = try arguments.required(address)
        guard let endpoint = Endpoint(text) else {
            throw arguments.wrong(
                "--address \(quoted(text)) is not HOST:PORT, such as \(ServerConnection.defaultAddress)")
        }
        return endpoint
    }

    static func tenantCount(_ arguments: ParsedArguments) throws(CommandError) -> Int {
        try arguments.integer(tenants, in: LoadLimits.tenants) ?? 1
    }
}
