import Glibc

/// A frame as it is on the wire.
struct RawFrame: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        case data, headers, priority, reset, settings, pushPromise, ping, goaway, windowUpdate, continuation
    }

    static let endStream: UInt8 = 0x1
    static let ack: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4

    var kind: Kind
    var flags: UInt8 = 0
    var stream: UInt32 = 0
    var payload: [UInt8] = []

    var bytes: [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16 & 0xff), UInt8(count >> 8 & 0xff), UInt8(count & 0xff), kind.rawValue, flags]
            + bigEndian(stream) + payload
    }

    /// The error code of RST_STREAM or GOAWAY.
    var errorCode: UInt32 {
        payload.dropFirst(kind == .goaway ? 4 : 0).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The last stream's id in GOAWAY.
    var lastStream: UInt32 { payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }

    static func settings(_ entries: [(UInt16, UInt32)] = []) -> RawFrame {
        RawFrame(
            kind: .settings,
            payload: entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 0xff)] + bigEndian($0.1) })
    }

    /// A request; every field a literal without indexing, RFC 7541 section 6.2.2.
    static func request(_ stream: UInt32, path: String, endStream: Bool, more: [(String, String)] = []) -> RawFrame {
        let fields =
            [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "raw")] + more
        return RawFrame(
            kind: .headers, flags: endHeaders | (endStream ? Self.endStream : 0), stream: stream,
            payload: fields.flatMap { literal($0.0, $0.1) })
    }

    static func data(_ stream: UInt32, _ bytes: [UInt8], endStream: Bool) -> RawFrame {
        RawFrame(kind: .data, flags: endStream ? Self.endStream : 0, stream: stream, payload: bytes)
    }

    static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> RawFrame {
        RawFrame(kind: .windowUpdate, stream: stream, payload: bigEndian(increment))
    }

    static func reset(_ stream: UInt32, _ code: UInt32) -> RawFrame {
        RawFrame(kind: .reset, stream: stream, payload: bigEndian(code))
    }

    static func ping(_ byte: UInt8 = 7) -> RawFrame {
        RawFrame(kind: .ping, payload: [UInt8](repeating: byte, count: 8))
    }

    static func literal(_ name: String, _ value: String) -> [UInt8] {
        [0] + length(name.utf8.count) + Array(name.utf8) + length(value.utf8.count) + Array(value.utf8)
    }

    private static func length(_ count: Int) -> [UInt8] {
        guard count >= 127 else { return [UInt8(count)] }
        var bytes: [UInt8] = [127]
        var left = count - 127
        while left >= 128 {
            bytes.append(UInt8(left & 127 | 128))
            left >>= 7
        }
        return bytes + [UInt8(left)]
    }
}

func bigEndian(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 0xff), UInt8(value >> 8 & 0xff), UInt8(value & 0xff)]
}

/// A peer that says what the test wants, right or wrong, on a blocking socket with a time-out of ten seconds.
final class RawPeer {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    /// Connects to a server.
    init(port: Int, preface: Bool = true, settings: [(UInt16, UInt32)] = []) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw RawError(text: "connect: \(errno)") }
        setTimeout()
        if preface {
            send(bytes: Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
            send(.settings(settings))
        }
    }

    /// Takes over an accepted socket.
    init(accepted: Int32) {
        descriptor = accepted
        setTimeout()
    }

    deinit { close(descriptor) }

    private func setTimeout() {
        var time = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ frames: RawFrame...) { send(bytes: frames.flatMap(\.bytes)) }

    /// Sends all, or as much as the other end takes before it closes.
    func send(bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// The next frame; nil when the other end closed.
    func receive() throws -> RawFrame? {
        guard try fill(9) else { return nil }
        let count = Int(buffer[0]) << 16 | Int(buffer[1]) << 8 | Int(buffer[2])
        guard try fill(9 + count) else { throw RawError(text: "the connection ended within a frame") }
        guard let kind = RawFrame.Kind(rawValue: buffer[3]) else { throw RawError(text: "a frame of an unknown kind") }
        let frame = RawFrame(
            kind: kind, flags: buffer[4], stream: buffer[5..<9].reduce(0) { $0 << 8 | UInt32($1) },
            payload: Array(buffer[9..<9 + count]))
        buffer.removeFirst(9 + count)
        return frame
    }

    /// The next frame that the condition picks, others dropped; nil when the other end closed before.
    func receive(where wanted: (RawFrame) -> Bool) throws -> RawFrame? {
        while let frame = try receive() {
            if wanted(frame) { return frame }
        }
        return nil
    }

    /// All that is left until the other end closes.
    func receiveAll() throws -> [RawFrame] {
        var frames: [RawFrame] = []
        while let frame = try receive() { frames.append(frame) }
        return frames
    }

    /// What the other end says until it has answered two PINGs: all that it says because of what was sent before.
    /// Two, since the answer to the first goes out ahead of everything else.
    func roundTrip() throws -> [RawFrame] {
        var frames: [RawFrame] = []
        for _ in 0..<2 {
            send(.ping(9))
            while true {
                guard let frame = try receive() else {
                    throw RawError(text: "no answer to the PING; got \(frames.map(\.kind))")
                }
                if frame.kind == .ping, frame.flags == RawFrame.ack { break }
                frames.append(frame)
            }
        }
        return frames
    }

    /// Ends our side.
    func finish() { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Throws away the 24 bytes of a client's preface.
    func receivePreface() throws {
        guard try fill(24) else { throw RawError(text: "no preface") }
        buffer.removeFirst(24)
    }

    private func fill(_ count: Int) throws -> Bool {
        while buffer.count < count {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let got = recv(descriptor, &chunk, chunk.count, 0)
            if got == 0 || got < 0 && errno == ECONNRESET {
                guard buffer.isEmpty else { throw RawError(text: "the connection ended within a frame") }
                return false
            }
            guard got > 0 else { throw RawError(text: "recv: \(errno)") }
            buffer.append(contentsOf: chunk[..<got])
        }
        return true
    }
}

/// Accepts raw peers: the server's side of tests of our client.
final class RawListener {
    let port: Int
    private let descriptor: Int32

    init() throws {
        let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        descriptor = made
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(made, $0, length) == 0 && listen(made, 16) == 0
                    && getsockname(made, $0, &length) == 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard bound else { throw RawError(text: "listen: \(errno)") }
    }

    deinit { close(descriptor) }

    /// The next connection, its preface read and our SETTINGS sent.
    func accept(settings: [(UInt16, UInt32)] = []) throws -> RawPeer {
        let accepted = Glibc.accept(descriptor, nil, nil)
        guard accepted >= 0 else { throw RawError(text: "accept: \(errno)") }
        let peer = RawPeer(accepted: accepted)
        try peer.receivePreface()
        peer.send(.settings(settings))
        return peer
    }
}

struct RawError: Error { var text: String }

private func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
}
