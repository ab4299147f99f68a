import Protobuf
import RPC
import TollgateSchema

/// A connection to Tollgate on behalf of one service: the stubs of all its calls, and the steps of metering as plain functions.
///
/// ```swift
/// let tollgate = try Tollgate("credits.internal:7070", key: key, tenant: "acme")
/// let answer = try await tollgate.metered(feature: "chat", quantities: ["context_tokens": 900, "generated_tokens": 2_000]) { use in
///     let reply = try await model.complete(prompt)
///     use.report(["context_tokens": 900, "generated_tokens": reply.tokens])
///     return reply
/// }
/// ```
/// One object serves a whole process: its calls share one connection to each server. Every step carries an id, made here
/// unless the caller gives one; a step that got no answer is sent again under the same id, so that it has one effect.
public final class Tollgate: Sendable {
    /// Reserve, commit, release, refund and their like, as the schema has them. These do not retry.
    public let metering: MeteringClient
    /// Balance, history and prices.
    public let credits: CreditsClient
    /// What a tenant's managers set.
    public let settings: SettingsClient
    /// Packs and top-ups.
    public let purchases: PurchasesClient
    /// Tenants, grants and keys.
    public let admin: AdminClient
    /// The clock of a server under test.
    public let testClock: TestClockClient

    /// How steps are sent again.
    public let retries: RetryPolicy
    /// How long a step may take with all its attempts, where the call does not say otherwise. Nil waits for ever.
    public let timeout: Duration?

    /// The channel, where this object made it.
    private let owned: ClientChannel?

    /// Connects, on the first call, to one server or to several (`"a:7070,b:7070"`, each `host:port`), which then take turns.
    ///
    /// - Parameters:
    ///   - servers: Where Tollgate listens.
    ///   - key: What `tollgate key create` printed.
    ///   - tenant: Whose credits; needed only where the key serves many tenants.
    ///   - actor: The end user on whose behalf the steps are made, where a step names none.
    ///   - timeout: How long a step may take with all its attempts.
    ///   - retries: How steps are sent again.
    ///   - configuration: How connections are made.
    /// - Throws: INVALID_ARGUMENT where the servers, the key, the tenant or the actor cannot be sent.
    public init(
        _ servers: String, key: String, tenant: String? = nil, actor: String? = nil, timeout: Duration? = .seconds(15),
        retries: RetryPolicy = RetryPolicy(), configuration: ClientConfiguration = ClientConfiguration()
    ) throws(RPCError) {
        guard let endpoints = Endpoint.list(servers, defaultPort: 7070) else {
            throw RPCError(code: .invalidArgument, message: "\"\(servers)\" is not a list of host:port")
        }
        var configuration = configuration
        do throws(MetadataError) {
            try configuration.metadata.add("authorization", "Bearer " + key)
            if let tenant { try configuration.metadata.add("tollgate-tenant", tenant) }
            if let actor { try configuration.metadata.add("tollgate-actor", actor) }
        } catch {
            // The text of the key must not get into a log.
            throw RPCError(code: .invalidArgument, message: "the key, tenant or actor cannot be sent as metadata")
        }
        let channel = ClientChannel(endpoints: endpoints, configuration: configuration)
        owned = channel
        self.timeout = timeout
        self.retries = retries
        (metering, credits, settings) = (MeteringClient(channel), CreditsClient(channel), SettingsClient(channel))
        (purchases, admin, testClock) = (PurchasesClient(channel), AdminClient(channel), TestClockClient(channel))
    }

    /// Works over a channel that exists already, or over a fake one in a test. The channel adds key and tenant to the calls.
    public init(channel: any RPCChannel, timeout: Duration? = .seconds(15), retries: RetryPolicy = RetryPolicy()) {
        owned = nil
        self.timeout = timeout
        self.retries = retries
        (metering, credits, settings) = (MeteringClient(channel), CreditsClient(channel), SettingsClient(channel))
        (purchases, admin, testClock) = (PurchasesClient(channel), AdminClient(channel), TestClockClient(channel))
    }

    /// Ends the connections that this object made. Calls under way fail with UNAVAILABLE.
    public func close() { owned?.close() }

    /// Makes one step, and makes it again after UNAVAILABLE, as the policy and the deadline allow.
    func retrying<Response: Sendable>(
        timeout: Duration?, _ attempt: (CallOptions) async throws(RPCError) -> Response
    ) async throws(RPCError) -> Response {
        let clock = ContinuousClock()
        let timeout = timeout ?? self.timeout
        let deadline = timeout.map { clock.now + $0 }
        var options = CallOptions(timeout: timeout)
        var sequence = RetrySequence(retries)
        var random = SystemRandomNumberGenerator()
        while true {
            do throws(RPCError) {
                return try await attempt(options)
            } catch {
                let remaining = deadline.map { $0 - clock.now }
                guard let wait = sequence.wait(after: error, remaining: remaining, using: &random) else { throw error }
                do {
                    try await clock.sleep(for: wait)
                } catch {
                    throw RPCError(code: .cancelled, message: "cancelled while waiting to try again", cause: error)
                }
                options.timeout = deadline.map { $0 - clock.now }
            }
        }
    }
}
