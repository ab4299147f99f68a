import Protobuf
import RPC
import TollgateSchema

/// The calls around metering that a service needs now and then.
extension Tollgate {
    /// Gives a tenant credits.
    ///
    /// ```swift
    /// try await tollgate.grant(tenant: "acme", kind: .purchased, amountMicros: 1_000_000_000)  // 1,000 credits
    /// ```
    /// - Parameters:
    ///   - tenant: The tenant.
    ///   - kind: How the credits came to it, which decides the order in which they are used.
    ///   - amountMicros: How much.
    ///   - expires: When what is left of it is gone; nil for never.
    ///   - comment: A remark for the history.
    ///   - id: The grant's id, a UUID.
    ///   - timeout: How long the step may take with all its attempts.
    @discardableResult
    public func grant(
        tenant: String, kind: GrantKind, amountMicros: Int64, expires: Timestamp? = nil, comment: String = "",
        id: String = UUIDv7.make(), timeout: Duration? = nil
    ) async throws(RPCError) -> GrantCreditsResponse {
        var request = GrantCreditsRequest()
        request.grantID = id
        request.tenantID = tenant
        request.kind = kind
        request.amountMicros = amountMicros
        request.expireTime = expires
        request.comment = comment
        let sent = request
        return try await retrying(timeout: timeout) { (options) async throws(RPCError) in
            try await admin.grantCredits(sent, options: options)
        }
    }

    /// What the tenant has.
    ///
    /// ```swift
    /// let available = try await tollgate.balance().availableMicros
    /// ```
    public func balance(timeout: Duration? = nil) async throws(RPCError) -> Balance {
        try await retrying(timeout: timeout) { (options) async throws(RPCError) in
            try await credits.getBalance(GetBalanceRequest(), options: options).balance ?? Balance()
        }
    }
}
