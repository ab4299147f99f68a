/// Looks at every call before its handler, and again when it has ended. Both run on the loop's thread and must not
/// block.
package protocol ServerInterceptor: Sendable {
    /// Runs when the request's headers have arrived, in the order of the list. An error ends the call before its
    /// handler.
    func admit(_ context: ServerContext) throws(RPCError)
    /// Where `admit` asks nothing but the method, the headers and a state that seldom changes: a number that grows with each
    /// change of that state, and not before it. While it stays the same a call with headers that were let in is let in
    /// as the same principal without asking again. By itself nil: every call is asked for. On any thread.
    var admissionEpoch: UInt64? { get }
    /// Runs once when the call has ended, for logs and metrics; for calls that were refused by an interceptor too,
    /// but not for those that an overloaded server refused before they began.
    func finished(_ context: ServerContext, code: RPCStatusCode, durationNs: Int64)
    /// Whether `finished` does anything; constant.
    var observesEnds: Bool { get }
}

extension ServerInterceptor {
    package func admit(_ context: ServerContext) throws(RPCError) {}
    package var admissionEpoch: UInt64? { nil }
    package func finished(_ context: ServerContext, code: RPCStatusCode, durationNs: Int64) {}
    package var observesEnds: Bool { true }
}
