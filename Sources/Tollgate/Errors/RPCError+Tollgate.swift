import Engine
import Ledger
import Protobuf
import RPC
import Storage

/// The reasons that a program may act on: `google.rpc.ErrorInfo.reason` of the domain `tollgate`.
enum Reason: String {
    case insufficientCredits = "INSUFFICIENT_CREDITS"
    case hardLimitReached = "HARD_LIMIT_REACHED"
    case aiDisabled = "AI_DISABLED"
    case reservationClosed = "RESERVATION_CLOSED"
    case reservationNotFound = "RESERVATION_NOT_FOUND"
    case refundExceedsCommitted = "REFUND_EXCEEDS_COMMITTED"
    case tenantNotFound = "TENANT_NOT_FOUND"
    case keyNotFound = "KEY_NOT_FOUND"
    case grantNotFound = "GRANT_NOT_FOUND"
    case lastOwner = "LAST_OWNER"
    case idReused = "ID_REUSED"
    case permissionMissing = "PERMISSION_MISSING"
    case keyInvalid = "KEY_INVALID"
    case invalidField = "INVALID_FIELD"
    case overloaded = "OVERLOADED"
    case shuttingDown = "SHUTTING_DOWN"
    case storageUnavailable = "STORAGE_UNAVAILABLE"
    case bookDamaged = "BOOK_DAMAGED"
}

/// Every error of the modules below becomes a status here and nowhere else.
extension RPCError {
    init(
        _ code: RPCStatusCode, _ reason: Reason, _ message: String, facts: [String: String] = [:],
        details: [ProtoAny] = []
    ) {
        self.init(code: code, message: message, details: [.info(reason, facts)] + details)
    }

    init(_ invalid: InvalidField) {
        let request = BadRequest.with {
            $0.fieldViolations = [
                .with {
                    $0.field = invalid.field
                    $0.description = invalid.reason
                }
            ]
        }
        self.init(
            .invalidArgument, .invalidField, invalid.description, facts: ["field": invalid.field],
            details: [ProtoAny(packing: request)])
    }

    init(refusal: Refusal) {
        switch refusal {
        case .insufficientCredits(let needed, let available):
            self.init(
                .resourceExhausted, .insufficientCredits,
                "needs \(needed) micros of credits and \(available) are available",
                facts: ["needed_micros": String(needed), "available_micros": String(available)])
        case .reservationNotFound:
            self.init(.notFound, .reservationNotFound, "there is no such reservation")
        case .reservationClosed(let state):
            self.init(
                .failedPrecondition, .reservationClosed, "the reservation is \(state)", facts: ["state": "\(state)"])
        case .idReused:
            self.init(.alreadyExists, .idReused, "the id was used before with other contents")
        case .refundExceedsCommitted(let refundable):
            self.init(
                .failedPrecondition, .refundExceedsCommitted, "\(refundable) micros are left to refund",
                facts: ["refundable_micros": String(refundable)])
        case .price(let error):
            self.init(InvalidField(error))
        case .expiryPassed:
            self.init(InvalidField("expire_time", "must be later than the server's time"))
        case .overflow:
            self.init(InvalidField("amount_micros", "makes a sum that 64 bits do not hold"))
        case .aiDisabled:
            self.init(.failedPrecondition, .aiDisabled, "the tenant's owner has switched AI off")
        case .hardLimitReached(let limit):
            self.init(limit)
        case .grantNotFound:
            self.init(.notFound, .grantNotFound, "there is no such grant")
        case .planNotFound:
            self.init(InvalidField("plan", "is not in the catalog"))
        case .noCycle:
            self.init(InvalidField("when", "must be now, as no cycle is running"))
        case .noSubscription:
            self.init(InvalidField("subscription", "has no meaning for a tenant without a plan"))
        }
    }

    private init(_ limit: LimitReached) {
        let subject = [limit.member, limit.feature].filter { !$0.isEmpty }.joined(separator: ", ")
        var facts = [
            "scope": limit.scope.name, "window": "\(limit.window)", "limit_micros": String(limit.hardMicros),
            "used_micros": String(limit.usedMicros), "needed_micros": String(limit.neededMicros),
        ]
        if !limit.member.isEmpty { facts["member"] = limit.member }
        if !limit.feature.isEmpty { facts["feature"] = limit.feature }
        self.init(
            .resourceExhausted, .hardLimitReached,
            "needs \(limit.neededMicros) micros of credits, and the \(limit.window)'s limit of \(limit.hardMicros) "
                + "\(subject.isEmpty ? "for the tenant" : "for \(subject)") has \(limit.usedMicros) used",
            facts: facts)
    }

    init(_ error: EngineError) {
        switch error {
        case .unavailable:
            self = .cannotStore
        case .overloaded(let why):
            // Those who were refused together are not to come back together.
            self = .unavailable(.overloaded, why.rawValue, retryAfterMs: .random(in: 100...300))
        case .stopping:
            self = .unavailable(.shuttingDown, "the server is shutting down", retryAfterMs: 100)
        case .callerGone:
            self.init(code: .deadlineExceeded, message: "the deadline has passed; the step was not done")
        case .damaged:
            // The path and the finding stand in the server's log; they are no business of a caller's.
            self.init(.dataLoss, .bookDamaged, "the tenant's book cannot be read; see the server's log")
        }
    }

    /// Why stands in the server's log and in its health, with paths that are no business of a caller's.
    private static var cannotStore: RPCError {
        .storageUnavailable("the server's disk fails it at the moment; send the same again")
    }

    /// For a disk that takes nothing, until it does again.
    static func storageUnavailable(_ message: String) -> RPCError {
        unavailable(.storageUnavailable, message, retryAfterMs: 1_000)
    }

    /// For what works again later by itself.
    private static func unavailable(_ reason: Reason, _ message: String, retryAfterMs: Int32) -> RPCError {
        let retry = RetryInfo.with {
            $0.retryDelay = ProtoDuration(seconds: Int64(retryAfterMs / 1_000), nanos: retryAfterMs % 1_000 * 1_000_000)
        }
        return RPCError(.unavailable, reason, message, details: [ProtoAny(packing: retry)])
    }

    /// The same answer whether a tenant does not exist or is not the caller's to see.
    static var tenantNotFound: RPCError {
        RPCError(.notFound, .tenantNotFound, "there is no such tenant")
    }

    /// Whose role it is that may not do what was asked.
    enum RoleHolder: String {
        case key = "key's"
        case actor = "actor's"
    }

    static func permissionMissing(_ permission: String, of holder: RoleHolder = .key) -> RPCError {
        RPCError(
            .permissionDenied, .permissionMissing, "the \(holder.rawValue) role lacks \(permission)",
            facts: ["permission": permission])
    }
}

extension ProtoAny {
    fileprivate static func info(_ reason: Reason, _ facts: [String: String]) -> ProtoAny {
        ProtoAny(
            packing: ErrorInfo.with {
                $0.reason = reason.rawValue
                $0.domain = "tollgate"
                $0.metadata = facts
            })
    }

    /// Of calls that are refused before they are looked at.
    static var overloaded: ProtoAny { info(.overloaded, [:]) }
}

extension InvalidField {
    init(_ error: PricingError) {
        switch error {
        case .unknownFeature: self.init("feature", "is not on the rate card")
        case .unknownUnit(let unit): self.init("quantities[\"\(unit)\"]", "is no unit of the price")
        case .negativeQuantity(let unit): self.init("quantities[\"\(unit)\"]", "must not be negative")
        case .overflow(""): self.init("quantities", "cost more than 64 bits of micros hold")
        case .overflow(let unit): self.init("quantities[\"\(unit)\"]", "costs more than 64 bits of micros hold")
        case .noQuantities: self.init("quantities", "are missing: neither they nor amount_micros say how much")
        }
    }
}

extension RPCError {
    /// The error as a message, for the answer of one step among many.
    var status: Status {
        .with {
            $0.code = Int32(code.rawValue)
            $0.message = message
            $0.details = details
        }
    }
}

/// Runs checks of fields where errors are statuses.
func checked<Value>(_ body: () throws(InvalidField) -> Value) throws(RPCError) -> Value {
    do throws(InvalidField) {
        return try body()
    } catch {
        throw RPCError(error)
    }
}

/// The answer of a step, or the status that its caller gets.
func answer(of result: Result<StepResult, EngineError>) throws(RPCError) -> (StepAnswer, replayed: Bool) {
    switch result {
    case .failure(let error): throw RPCError(error)
    case .success(let step):
        switch step.outcome {
        case .failure(let refusal): throw RPCError(refusal: refusal)
        case .success(let answer): return (answer, step.replayed)
        }
    }
}

extension DirectCall {
    /// Answers with what the engine found, or with its error.
    func answer<Value>(with result: Result<Value, EngineError>, _ response: (Value) -> Response) {
        switch result {
        case .success(let value): respond(response(value))
        case .failure(let error): fail(RPCError(error))
        }
    }
}
