import Locks
import RPC
import TollgateSchema

/// What the body of `metered` reports to have used.
///
/// What is reported under a unit twice adds up, so that a stream may report as it goes.
public final class Use: Sendable {
    /// The reservation that pays for it.
    public let reservation: Reservation

    private let reported = Protected<Reported>(Reported())

    init(reservation: Reservation) {
        self.reservation = reservation
    }

    /// Adds to what was used, by unit. An amount that does not fit into 64 bits stays at the largest one, which the server refuses.
    public func report(_ quantities: [String: Int64]) {
        reported.withLock { $0.add(quantities) }
    }

    /// Adds to what was used of one unit.
    public func report(_ unit: String, _ quantity: Int64) {
        report([unit: quantity])
    }

    /// What was reported so far; nil where nothing was, which is not the same as nothing used.
    public var quantities: [String: Int64]? { reported.withLock { $0.quantities } }

    /// Sums by unit. Separate from the lock, so that the adding is plain.
    struct Reported {
        private(set) var quantities: [String: Int64]?

        mutating func add(_ more: [String: Int64]) {
            quantities = (quantities ?? [:]).merging(more) { old, new in
                let (sum, overflow) = old.addingReportingOverflow(new)
                return overflow ? (new > 0 ? .max : .min) : sum
            }
        }
    }
}

extension Tollgate {
    /// Runs an AI call under a reservation: holds credits, runs the body, commits what it reports, and releases the hold if it throws.
    ///
    /// ```swift
    /// let reply = try await tollgate.metered(feature: "chat", quantities: ["generated_tokens": 2_000]) { use in
    ///     let reply = try await model.complete(prompt)
    ///     use.report("generated_tokens", reply.tokens)
    ///     return reply
    /// }
    /// ```
    /// A body that returns without a report is charged nothing: its hold is released. Commit and release are sent even when
    /// the task was cancelled meanwhile. Where the server cannot be told of a release, the hold ends by itself at its `ttl`.
    ///
    /// - Parameters: as those of `reserve`.
    /// - Throws: What the body throws, or an `RPCError` of the reservation (the body did not run then) or of the commit
    ///   (it did; the id of the reservation is the one that was given).
    public func metered<Result: Sendable>(
        feature: String, quantities: [String: Int64], quality: Quality = .unspecified, actor: String = "",
        ttl: Duration? = nil, comment: String = "", labels: [String: String] = [:], minimumMicros: Int64 = 0,
        id: String = UUIDv7.make(), timeout: Duration? = nil, isolation: isolated (any Actor)? = #isolation,
        _ body: (Use) async throws -> Result
    ) async throws -> Result {
        let held = try await reserve(
            feature: feature, quantities: quantities, quality: quality, actor: actor, ttl: ttl, comment: comment,
            labels: labels, minimumMicros: minimumMicros, id: id, timeout: timeout)
        let use = Use(reservation: held.reservation ?? Reservation())
        let result: Result
        do {
            result = try await body(use)
        } catch {
            // A hold that cannot be given back now ends by itself.
            _ = await settle(id, nil, reason: "the call failed", timeout: timeout)
            throw error
        }
        _ = try await settle(id, use.quantities, reason: "nothing was used", timeout: timeout).get()
        return result
    }

    /// Closes a reservation in a task of its own, which a cancellation of the caller's does not reach.
    private func settle(
        _ id: String, _ quantities: [String: Int64]?, reason: String, timeout: Duration?
    ) async -> Swift.Result<Void, RPCError> {
        await Task { () async -> Swift.Result<Void, RPCError> in
            do throws(RPCError) {
                if let quantities {
                    try await commit(id, quantities: quantities, timeout: timeout)
                } else {
                    try await release(id, reason: reason, timeout: timeout)
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }.value
    }
}
