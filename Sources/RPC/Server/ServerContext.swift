import HTTP2
import Locks

/// What a handler knows of its call. It may be used from any thread, for as long as one likes.
public struct ServerContext: Sendable {
    /// The call itself.
    @usableFromInline package let call: ServerCall

    /// The method that was called.
    public var method: MethodDescriptor { call.head.method.descriptor }

    /// The request's metadata, made anew at each access; a single key is found faster by `metadata(_:)`.
    public var metadata: Metadata { call.metadata }

    /// The first text under a plain metadata key.
    public func metadata(_ key: String) -> String? {
        let key = key.utf8
        let keyByteCount = key.count
        var text: String?
        call.head.headers.forEachWhile { name, value in
            // Few names are as long as the one that is looked for.
            guard name.count == keyByteCount, name.elementsEqual(key) else { return true }
            text = String(decoding: value, as: UTF8.self)
            return false
        }
        return text
    }

    /// When the caller gives up; nil where it did not say.
    public var deadline: ContinuousClock.Instant? {
        timeLeft.map { ContinuousClock.now.advanced(by: $0) }
    }

    /// How long the caller still waits, not below zero; nil where it did not say.
    public var timeLeft: Duration? {
        call.deadlineNs.map { .nanoseconds(max(0, $0 - monotonicNs())) }
    }

    /// Whether nobody waits for the answer any more: the caller cancelled, its connection is lost, or its deadline
    /// passed.
    public var isCancelled: Bool { call.withNotes { $0.extras?.isCancelled ?? false } }

    /// The caller's address, such as `127.0.0.1:40312`.
    public var peer: String { call.peer }

    /// Runs the body once, on the loop's thread, when nobody waits for the answer any more; at once where that is so
    /// already. After an answer it never runs.
    public func onCancel(_ body: @escaping @Sendable () -> Void) { call.onCancel(body) }

    /// Runs the body once, on the loop's thread, when the server begins to drain; at once where it does already. What
    /// would go on for as long as its caller likes ends itself then.
    public func onDrain(_ body: @escaping @Sendable () -> Void) { call.onDrain(body) }

    /// Metadata sent before the first message. It has an effect until the first message is sent.
    public func setInitialMetadata(_ metadata: Metadata) {
        call.withNotes { $0.madeExtras.initialMetadata = metadata }
    }

    /// Metadata sent beside the status.
    public func setTrailingMetadata(_ metadata: Metadata) {
        call.withNotes { $0.madeExtras.trailingMetadata = metadata }
    }
}

extension ServerContext {
    /// Who calls, as an interceptor found out; nil before, or where it is of another type.
    @inlinable
    public func principal<Principal: AnyObject & Sendable>(as type: Principal.Type = Principal.self) -> Principal? {
        call.principal as? Principal
    }

    /// Calls the body with the bytes of a header's first value, without making a string of them; nil where there is
    /// none.
    package func withHeader<Result>(_ name: StaticString, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        call.head.headers.withValue(of: name, body)
    }

    /// Says who calls. Only an interceptor does so, before the handler runs.
    package func setPrincipal(_ principal: any AnyObject & Sendable) { call.principal = principal }

    /// Says whose share of an overloaded server the call takes: a tenant's, or a key's where it is about none. Only an
    /// interceptor does so; calls of which nothing is said share one.
    package func setShare(named name: String) { call.share = call.home.shares.share(named: name) }
}
