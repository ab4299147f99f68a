import CLinux
import CNghttp2
import Glibc

/// Follows the streams of one connection.
protocol StreamFollower: AnyObject {
    func headerReceived(stream: Int32, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer)
    func dataReceived(stream: Int32, _ bytes: UnsafeRawBufferPointer)
    /// The server ended its side, with a status.
    func serverEnded(stream: Int32)
    /// The stream is gone, with HTTP/2's error code.
    func streamClosed(_ stream: Int32, errorCode: UInt32)
    /// The connection is gone, after its streams.
    func connectionLost(_ reason: String)
}

/// Buffers that all connections of a run use in turn: neither keeps anything between two calls.
final class SharedBuffers {
    let read = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.readBufferBytes, alignment: 64)
    let write = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Limits.writeBufferBytes + Limits.frameBytesMax, alignment: 64)

    deinit {
        read.deallocate()
        write.deallocate()
    }
}

/// One connection of HTTP/2: a socket and nghttp2's session.
final class Connection {
    let descriptor: Int32
    private(set) var session: OpaquePointer! = nil
    private let epoll: Int32
    /// What the socket is registered under.
    private let number: UInt64
    private let buffers: SharedBuffers
    /// Kept by who made both, for longer than the connection.
    unowned(unsafe) let follower: any StreamFollower
    /// What the socket has not taken yet.
    private var pending: [UInt8] = []
    private var isLost = false
    /// Whether no more streams can be opened: the server said GOAWAY, or the connection is gone.
    private(set) var isEnding = false

    init(
        descriptor: Int32, epoll: Int32, number: Int, buffers: SharedBuffers, follower: any StreamFollower
    ) throws(LoadError) {
        self.descriptor = descriptor
        self.epoll = epoll
        self.number = UInt64(number)
        self.buffers = buffers
        self.follower = follower
        session = SessionFactory.make(userData: Unmanaged.passUnretained(self).toOpaque())
        guard cl_epoll_control(epoll, Int32(CL_EPOLL_ADD), descriptor, UInt32(CL_EPOLLIN), self.number) == 0 else {
            throw .system(call: "epoll_ctl", errno: errno)
        }
    }

    deinit {
        nghttp2_session_del(session)
        close(descriptor)
    }

    /// The socket is ready: takes what came, then sends what this led to.
    func ready(_ events: UInt32) {
        if events & ~UInt32(CL_EPOLLOUT) != 0 { receive() }
        send()
    }

    private func receive() {
        let count = read(descriptor, buffers.read.baseAddress, buffers.read.count)
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            return lose(count == 0 ? "the server closed the connection" : String(cString: strerror(errno)))
        }
        let taken = nghttp2_session_mem_recv(
            session, buffers.read.baseAddress?.assumingMemoryBound(to: UInt8.self), count)
        if taken < 0 { lose("HTTP/2: " + String(cString: nghttp2_strerror(Int32(taken)))) }
    }

    /// Sends all that nghttp2 has, as far as the socket takes it.
    func send() {
        guard !isLost, pending.isEmpty || sendPending() else { return }
        let buffer = buffers.write
        while true {
            var filled = 0
            while filled < Limits.writeBufferBytes {
                var chunk: UnsafePointer<UInt8>?
                let count = nghttp2_session_mem_send(session, &chunk)
                guard count > 0, let chunk else { break }
                precondition(count <= Limits.frameBytesMax, "nghttp2 packs no larger frames.")
                memcpy(buffer.baseAddress! + filled, chunk, count)
                filled += count
            }
            guard filled > 0 else { return }
            guard give(UnsafeRawBufferPointer(rebasing: buffer[..<filled])) else { return }
            if filled < Limits.writeBufferBytes { return }
        }
    }

    /// Writes bytes; false where some are left, which wait for the socket.
    private func give(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            if count < 0 {
                if errno == EINTR { continue }
                // A socket that failed is noticed by the read that follows.
                if errno == EAGAIN {
                    pending = Array(rest)
                    watch(UInt32(CL_EPOLLIN) | UInt32(CL_EPOLLOUT))
                }
                return false
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return true
    }

    private func sendPending() -> Bool {
        let bytes = pending
        pending = []
        guard bytes.withUnsafeBytes({ give($0) }) else { return false }
        watch(UInt32(CL_EPOLLIN))
        return true
    }

    private func watch(_ events: UInt32) {
        _ = cl_epoll_control(epoll, Int32(CL_EPOLL_MODIFY), descriptor, events, number)
    }

    /// The server said GOAWAY: what was begun goes on, nothing more is begun.
    func goawayReceived() { isEnding = true }

    private func lose(_ reason: String) {
        isLost = true
        isEnding = true
        _ = cl_epoll_control(epoll, Int32(CL_EPOLL_DELETE), descriptor, 0, 0)
        follower.connectionLost(reason)
    }
}
