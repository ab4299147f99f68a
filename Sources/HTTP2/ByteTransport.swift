import Glibc

/// What a read or a write came to.
enum TransferResult {
    case bytes(Int)
    /// Nothing can be moved now.
    case wouldBlock
    /// The other end will send no more.
    case ended
    case failed(errno: Int32)
}

/// Moves a connection's bytes: the seam under which TLS goes.
protocol ByteTransport: AnyObject {
    /// What epoll watches.
    var descriptor: Int32 { get }
    func read(into buffer: UnsafeMutableRawBufferPointer) -> TransferResult
    func write(_ buffer: UnsafeRawBufferPointer) -> TransferResult
    /// Bytes that have arrived and wait to be read.
    var arrivedByteCount: Int { get }
    /// Tells the other end that nothing follows.
    func endWriting()
    /// Gives the descriptor back.
    func close()
}

/// A plain TCP socket.
final class SocketTransport: ByteTransport {
    let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            if errno == EAGAIN { return .wouldBlock }
            if errno != EINTR { return .failed(errno: errno) }
        }
    }

    func write(_ buffer: UnsafeRawBufferPointer) -> TransferResult {
        while true {
            let count = send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
            if count >= 0 { return .bytes(count) }
            if errno == EAGAIN { return .wouldBlock }
            if errno != EINTR { return .failed(errno: errno) }
        }
    }

    var arrivedByteCount: Int {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    func endWriting() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    func close() { _ = Glibc.close(descriptor) }
}
