import HTTP2

extension ServerContext {
    /// The loop that carries the call: what answers many calls of one loop does so there, in one wake.
    package var loop: EventLoop { call.home.loop }
}
