import CLinux
import Glibc

/// Where the server of a run listens.
struct ServerAddress {
    /// The value of `:authority`.
    let authority: String
    private let family: Int32
    private let bytes: [UInt8]

    /// Resolves the host; its first address is taken.
    init(host: String, port: UInt16) throws(LoadError) {
        authority = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &found)
        defer { freeaddrinfo(found) }
        guard result == 0, let first = found?.pointee, let address = first.ai_addr else {
            throw .unresolvable(host: host, reason: String(cString: gai_strerror(result)))
        }
        family = first.ai_family
        bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(first.ai_addrlen)))
    }

    /// Makes a connection and returns its socket, which does not block.
    func connect() throws(LoadError) -> Int32 {
        let descriptor = cl_tcp_socket(family)
        guard descriptor >= 0 else { throw .system(call: "socket", errno: errno) }
        guard let error = connectError(descriptor) else {
            var one: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            return descriptor
        }
        close(descriptor)
        throw .unreachable(address: authority, reason: String(cString: strerror(error)))
    }

    /// Connects and waits for it; the errno where that fails.
    private func connectError(_ descriptor: Int32) -> Int32? {
        let result = bytes.withUnsafeBytes {
            Glibc.connect(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
        }
        if result == 0 { return nil }
        guard errno == EINPROGRESS else { return errno }
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&ready, 1, Limits.connectTimeoutMs) == 1 else { return ETIMEDOUT }
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
        return error == 0 ? nil : error
    }
}
