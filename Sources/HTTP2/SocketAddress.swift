import CLinux
import Glibc

/// An address of TCP: where to listen, whom to connect to, who called.
package struct SocketAddress: Sendable, CustomStringConvertible {
    /// The address as text, without brackets.
    package let host: String
    package let port: Int
    /// AF_INET or AF_INET6.
    let family: Int32
    /// The bytes of a `sockaddr_in` or `sockaddr_in6`.
    private let bytes: [UInt8]

    /// `host:port`, with brackets around an IPv6 address.
    package var description: String { family == AF_INET6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    init?(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        let family = Int32(address.pointee.sa_family)
        guard family == AF_INET || family == AF_INET6 else { return nil }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let result = getnameinfo(
            address, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
            Int32(NI_NUMERICHOST | NI_NUMERICSERV))
        guard result == 0 else { return nil }
        self.family = family
        self.host = Self.text(host)
        port = Int(Self.text(service)) ?? 0
        bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(length)))
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: sockaddr_storage.self, capacity: 1) { storage in
            storage.initialize(repeating: sockaddr_storage())
            UnsafeMutableRawBufferPointer(storage).copyBytes(from: bytes)
            return storage.withMemoryRebound(to: sockaddr.self) { body($0.baseAddress!, socklen_t(bytes.count)) }
        }
    }

    /// All addresses of a host, IPv4 first, at most `Limits.addressesMax`. Asks the resolver, and so may take
    /// seconds, unless `numericOnly`.
    static func resolve(
        host: String, port: Int, passive: Bool = false, numericOnly: Bool = false
    ) throws(HTTP2Error) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0) | (numericOnly ? AI_NUMERICHOST : 0)
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(bare.isEmpty ? nil : bare, String(port), &hints, &found)
        guard result == 0 else {
            throw HTTP2Error.unresolvable(host: host, reason: String(cString: gai_strerror(result)))
        }
        defer { freeaddrinfo(found) }
        var addresses: [SocketAddress] = []
        var next = found
        while let entry = next, addresses.count < Limits.addressesMax {
            if let address = entry.pointee.ai_addr, let made = Self(address, length: entry.pointee.ai_addrlen) {
                addresses.append(made)
            }
            next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else { throw HTTP2Error.unresolvable(host: host, reason: "no TCP address") }
        return addresses.filter { $0.family == AF_INET } + addresses.filter { $0.family != AF_INET }
    }

    /// The address that a socket is bound to, or its peer's.
    static func of(_ descriptor: Int32, peer: Bool) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let result =
                    peer ? getpeername(descriptor, address, &length) : getsockname(descriptor, address, &length)
                return result == 0 ? Self(address, length: length) : nil
            }
        }
    }
}

/// What is done to sockets by number.
enum Socket {
    /// Sets an integer option; options that a kernel lacks are done without.
    static func set(_ descriptor: Int32, level: Int32, option: Int32, to value: Int32) {
        var value = value
        _ = setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Small frames go out at once.
    static func setNoDelay(_ descriptor: Int32) {
        set(descriptor, level: Int32(IPPROTO_TCP), option: TCP_NODELAY, to: 1)
    }

    /// A listening socket.
    static func listening(at address: SocketAddress) throws(HTTP2Error) -> Int32 {
        let descriptor = cl_tcp_socket(address.family)
        guard descriptor >= 0 else { throw HTTP2Error.system(call: "socket", errno: errno) }
        set(descriptor, level: SOL_SOCKET, option: SO_REUSEADDR, to: 1)
        // "::" takes IPv4 callers too.
        if address.family == AF_INET6 { set(descriptor, level: Int32(IPPROTO_IPV6), option: IPV6_V6ONLY, to: 0) }
        guard address.withSocketAddress({ bind(descriptor, $0, $1) }) == 0 else {
            throw failure(of: "bind", closing: descriptor)
        }
        guard listen(descriptor, Limits.listenBacklog) == 0 else { throw failure(of: "listen", closing: descriptor) }
        return descriptor
    }

    private static func failure(of call: String, closing descriptor: Int32) -> HTTP2Error {
        let error = errno
        close(descriptor)
        return .system(call: call, errno: error)
    }
}
