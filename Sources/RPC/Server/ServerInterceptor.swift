/// Looks at every call before its handler, and again when it has ended. Both run on the loop's thread and must not
/// block.
package protocol ServerInterceptor: Sendable {
    /// Runs when the request's headers have arrived, in the order of the list. An error ends the call before its
    /// handler.
    func admit(_ context: ServerContext) throws(RPCError)
    /// Runs once when the call has ended, for logs and metrics; for calls that were refused by an interceptor too.
    func finished(_ context: ServerContext, code: RPCStatusCode, durationNs: Int64)
}

extension ServerInterceptor {
    package func admit(_ context: ServerContext) throws(RPCError) {}
    package func finished(_ context: ServerContext, code: RPCStatusCode, durationNs: Int64) {}
}
