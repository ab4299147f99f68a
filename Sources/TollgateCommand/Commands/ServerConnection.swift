import RPC
import TollgateClient

/// How the commands that talk to a server find it and prove who they are.
struct ServerConnection: Sendable {
    /// Where the server listens unless something else is said, here as in `serve`.
    static let defaultAddress = "127.0.0.1:7070"

    static let server = OptionSpec.value(
        "--server", "HOST:PORT", "where the server listens", environment: "TOLLGATE_SERVER", fallback: defaultAddress)
    static let key = OptionSpec.value(
        "--key", "KEY", "the API key; others on this machine may see it there", environment: "TOLLGATE_KEY",
        isRequired: true)
    static let tenant = OptionSpec.value(
        "--tenant", "TENANT", "the tenant, where the key serves many", environment: "TOLLGATE_TENANT")
    static let json = OptionSpec.toggle("--json", "print the answer as JSON, on one line")

    /// The options of a command that needs no tenant.
    static let options = [server, key, json]
    /// The options of a command about one tenant.
    static let tenantOptions = [server, key, tenant, json]

    /// The connections, made by the first call.
    let channel: ClientChannel

    /// Reads the options; no connection is made yet.
    init(_ arguments: ParsedArguments, forTenant: Bool = false) throws(CommandError) {
        let address = try arguments.required(Self.server)
        guard let endpoints = Endpoint.list(address) else {
            throw arguments.wrong("--server \(quoted(address)) is not HOST:PORT, such as \(Self.defaultAddress)")
        }
        let key = try arguments.required(Self.key)
        var configuration = ClientConfiguration()
        // A command is waited for: it looks for a server that comes back more often than a service would.
        configuration.backoff = BackoffPolicy(initial: .milliseconds(50), multiplier: 1.6, maximum: .seconds(1))
        configuration.connectTimeout = .seconds(5)
        configuration.defaultTimeout = .seconds(Limits.callSeconds)
        do throws(MetadataError) {
            try configuration.metadata.add("authorization", "Bearer " + key)
            if forTenant, let tenant = arguments.value(Self.tenant) {
                try configuration.metadata.add("tollgate-tenant", tenant)
            }
        } catch {
            throw arguments.wrong(
                "the key or the tenant has characters that cannot be sent: give them as they were shown")
        }
        channel = ClientChannel(endpoints: endpoints, configuration: configuration)
    }

    /// A connection whose address and key are known already.
    init(host: String, port: UInt16, key: String, tenant: String? = nil) throws(MetadataError) {
        var configuration = ClientConfiguration()
        configuration.defaultTimeout = .seconds(Limits.callSeconds)
        try configuration.metadata.add("authorization", "Bearer " + key)
        if let tenant { try configuration.metadata.add("tollgate-tenant", tenant) }
        channel = ClientChannel(endpoints: [Endpoint(host: host, port: port)], configuration: configuration)
    }

    /// Makes a call and says what to do where it fails.
    func call<Answer>(_ body: (ClientChannel) async throws(RPCError) -> Answer) async throws(CommandError) -> Answer {
        do throws(RPCError) {
            return try await body(channel)
        } catch {
            throw .failed(error.sentence)
        }
    }
}
