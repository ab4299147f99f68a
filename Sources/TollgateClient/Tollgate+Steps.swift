import Protobuf
import RPC
import TollgateSchema

/// The steps of metering. Each takes an id, makes one where none is given, and is sent again under it where no answer came.
extension Tollgate {
    /// Sets credits aside for a call that is about to be made, priced by the rate card.
    ///
    /// ```swift
    /// let hold = try await tollgate.reserve(feature: "chat", quantities: ["generated_tokens": 2_000])
    /// ```
    /// - Parameters:
    ///   - feature: A feature of the rate card.
    ///   - quantities: How much is expected at most, by unit.
    ///   - quality: The quality of the answer, which the price may depend on.
    ///   - actor: The end user, where it is not the one of this object.
    ///   - ttl: How long the hold lasts; 15 minutes where nothing is said.
    ///   - comment: A remark for the history.
    ///   - labels: Labels for the history.
    ///   - minimumMicros: Holds what is there if it is at least this, in place of all or nothing; 0 for all.
    ///   - id: The reservation's id, a UUID.
    ///   - timeout: How long the step may take with all its attempts.
    /// - Throws: RESOURCE_EXHAUSTED with reason `INSUFFICIENT_CREDITS` where the credits are not there; see the schema for more.
    public func reserve(
        feature: String, quantities: [String: Int64], quality: Quality = .unspecified, actor: String = "",
        ttl: Duration? = nil, comment: String = "", labels: [String: String] = [:], minimumMicros: Int64 = 0,
        id: String = UUIDv7.make(), timeout: Duration? = nil
    ) async throws(RPCError) -> ReserveResponse {
        var request = ReserveRequest()
        request.reservationID = id
        request.feature = feature
        request.quantities = quantities
        request.quality = quality
        request.actor = actor
        request.ttl = ttl.map { ProtoDuration($0) }
        request.comment = comment
        request.labels = labels
        request.minimumMicros = minimumMicros
        return try await reserve(request, timeout: timeout)
    }

    /// Sets a plain amount aside.
    ///
    /// ```swift
    /// let hold = try await tollgate.reserve(amountMicros: 7_000_000)  // 7 credits
    /// ```
    public func reserve(
        amountMicros: Int64, feature: String = "", actor: String = "", ttl: Duration? = nil, comment: String = "",
        labels: [String: String] = [:], minimumMicros: Int64 = 0, id: String = UUIDv7.make(), timeout: Duration? = nil
    ) async throws(RPCError) -> ReserveResponse {
        var request = ReserveRequest()
        request.reservationID = id
        request.amountMicros = amountMicros
        request.feature = feature
        request.actor = actor
        request.ttl = ttl.map { ProtoDuration($0) }
        request.comment = comment
        request.labels = labels
        request.minimumMicros = minimumMicros
        return try await reserve(request, timeout: timeout)
    }

    /// Makes a reservation that is written out in full. An empty id is filled in.
    public func reserve(_ request: ReserveRequest, timeout: Duration? = nil) async throws(RPCError) -> ReserveResponse {
        var request = request
        if request.reservationID.isEmpty { request.reservationID = UUIDv7.make() }
        let sent = request
        return try await retrying(timeout: timeout) { (options) async throws(RPCError) in
            try await metering.reserve(sent, options: options)
        }
    }

    /// Charges what was really used; the rest of the hold comes back.
    ///
    /// ```swift
    /// try await tollgate.commit(hold.reservation.reservationID, quantities: ["generated_tokens": 310])
    /// ```
    /// - Parameters:
    ///   - reservationID: The reservation.
    ///   - quantities: What was used, by unit, at the prices of the reservation.
    ///   - partial: Keeps the hold open with the rest, for a stream that is still running.
    ///   - comment: A remark for the history.
    ///   - id: This step's id, a UUID.
    ///   - timeout: How long the step may take with all its attempts.
    @discardableResult
    public func commit(
        _ reservationID: String, quantities: [String: Int64], partial: Bool = false, comment: String = "",
        id: String = UUIDv7.make(), timeout: Duration? = nil
    ) async throws(RPCError) -> CommitResponse {
        var request = CommitRequest()
        request.reservationID = reservationID
        request.quantities = quantities
        request.partial = partial
        request.comment = comment
        request.commitID = id
        return try await commit(request, timeout: timeout)
    }

    /// Charges a plain amount.
    @discardableResult
    public func commit(
        _ reservationID: String, amountMicros: Int64, partial: Bool = false, comment: String = "",
        id: String = UUIDv7.make(), timeout: Duration? = nil
    ) async throws(RPCError) -> CommitResponse {
        var request = CommitRequest()
        request.reservationID = reservationID
        request.amountMicros = amountMicros
        request.partial = partial
        request.comment = comment
        request.commitID = id
        return try await commit(request, timeout: timeout)
    }

    /// Makes a commit that is written out in full. An empty id is filled in.
    @discardableResult
    public func commit(_ request: CommitRequest, timeout: Duration? = nil) async throws(RPCError) -> CommitResponse {
        var request = request
        if request.commitID.isEmpty { request.commitID = UUIDv7.make() }
        let sent = request
        return try await retrying(timeout: timeout) { (options) async throws(RPCError) in
            try await metering.commit(sent, options: options)
        }
    }

    /// Gives back all that a reservation holds, when the call was not made.
    ///
    /// ```swift
    /// try await tollgate.release(hold.reservation.reservationID, reason: "the model refused")
    /// ```
    @discardableResult
    public func release(
        _ reservationID: String, reason: String = "", timeout: Duration? = nil
    ) async throws(RPCError) -> ReleaseResponse {
        var request = ReleaseRequest()
        request.reservationID = reservationID
        request.reason = reason
        let sent = request
        return try await retrying(timeout: timeout) { (options) async throws(RPCError) in
            try await metering.release(sent, options: options)
        }
    }

    /// Gives back what was charged: an amount, or all that is left to refund where none is named.
    ///
    /// ```swift
    /// try await tollgate.refund(reservationID, amountMicros: 500_000, reason: "the answer was cut off")
    /// ```
    @discardableResult
    public func refund(
        _ reservationID: String, amountMicros: Int64 = 0, reason: String = "", id: String = UUIDv7.make(),
        timeout: Duration? = nil
    ) async throws(RPCError) -> RefundResponse {
        var request = RefundRequest()
        request.refundID = id
        request.reservationID = reservationID
        request.amountMicros = amountMicros
        request.reason = reason
        let sent = request
        return try await retrying(timeout: timeout) { (options) async throws(RPCError) in
            try await metering.refund(sent, options: options)
        }
    }

    /// Keeps a hold open until at least `ttl` from now.
    ///
    /// ```swift
    /// try await tollgate.extend(hold.reservation.reservationID, ttl: .seconds(600))
    /// ```
    @discardableResult
    public func extend(
        _ reservationID: String, ttl: Duration, id: String = UUIDv7.make(), timeout: Duration? = nil
    ) async throws(RPCError) -> ExtendResponse {
        var request = ExtendRequest()
        request.reservationID = reservationID
        request.ttl = ProtoDuration(ttl)
        request.extendID = id
        let sent = request
        return try await retrying(timeout: timeout) { (options) async throws(RPCError) in
            try await metering.extend(sent, options: options)
        }
    }

    /// Reserves and commits in one step, where the use is known already.
    ///
    /// ```swift
    /// try await tollgate.charge(feature: "image", quantities: ["images": 1])
    /// ```
    @discardableResult
    public func charge(
        feature: String, quantities: [String: Int64], quality: Quality = .unspecified, actor: String = "",
        comment: String = "", labels: [String: String] = [:], id: String = UUIDv7.make(), timeout: Duration? = nil
    ) async throws(RPCError) -> ChargeResponse {
        var request = ChargeRequest()
        request.reservationID = id
        request.feature = feature
        request.quantities = quantities
        request.quality = quality
        request.actor = actor
        request.comment = comment
        request.labels = labels
        return try await charge(request, timeout: timeout)
    }

    /// Charges a plain amount at once.
    @discardableResult
    public func charge(
        amountMicros: Int64, feature: String = "", actor: String = "", comment: String = "",
        labels: [String: String] = [:], id: String = UUIDv7.make(), timeout: Duration? = nil
    ) async throws(RPCError) -> ChargeResponse {
        var request = ChargeRequest()
        request.reservationID = id
        request.amountMicros = amountMicros
        request.feature = feature
        request.actor = actor
        request.comment = comment
        request.labels = labels
        return try await charge(request, timeout: timeout)
    }

    /// Makes a charge that is written out in full. An empty id is filled in.
    @discardableResult
    public func charge(_ request: ChargeRequest, timeout: Duration? = nil) async throws(RPCError) -> ChargeResponse {
        var request = request
        if request.reservationID.isEmpty { request.reservationID = UUIDv7.make() }
        let sent = request
        return try await retrying(timeout: timeout) { (options) async throws(RPCError) in
            try await metering.charge(sent, options: options)
        }
    }
}
