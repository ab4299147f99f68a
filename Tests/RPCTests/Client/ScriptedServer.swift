import Foundation
import Glibc
import Locks
import Protobuf
import RPC

/// An HTTP/2 server that does what a test tells it, frame by frame, right or wrong. It decodes no headers: a request is
/// known by its connection and stream.
final class ScriptedServer: Sendable {
    /// One request that came in whole.
    struct Request: Sendable {
        /// The how-manieth connection, from 0.
        let connection: Int
        /// The stream's id, 1, 3, 5, …
        let stream: UInt32
        /// The how-manieth request to this server, from 0.
        let number: Int
    }

    /// What the server sends in answer, or does.
    enum Action: Sendable {
        case headers([(String, String)], endStream: Bool = false, stream: UInt32? = nil)
        case data([UInt8], endStream: Bool = false, stream: UInt32? = nil)
        case reset(UInt32)
        case goaway(last: UInt32, code: UInt32 = 0)
        case close
    }

    typealias Script = @Sendable (Request) -> [Action]

    /// Where to call it.
    let endpoint: Endpoint
    private let listener: Int32
    private let script: Script
    private let settings: [(UInt16, UInt32)]
    private let answersPings: Bool
    private let state = Protected(State())

    private struct State {
        var sockets: [Int32] = []
        var requests = 0
        var isStopped = false
    }

    /// Begins to listen. `settings` go into the server's first frame.
    init(settings: [(UInt16, UInt32)] = [], answersPings: Bool = true, script: @escaping Script) {
        self.settings = settings
        self.answersPings = answersPings
        self.script = script
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                let bound = bind(listener, pointer, length) == 0 && listen(listener, 64) == 0
                return bound && getsockname(listener, pointer, &length) == 0
            }
        }
        precondition(result, "a test can listen on loopback")
        endpoint = Endpoint(host: "127.0.0.1", port: UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in accept() }
    }

    /// How many connections were made, and how many requests came whole.
    var connectionCount: Int { state.withLock { $0.sockets.count } }
    var requestCount: Int { state.withLock { $0.requests } }

    /// Ends all connections and the listener.
    func stop() {
        let sockets = state.withLock { state in
            state.isStopped = true
            return state.sockets
        }
        shutdown(listener, Int32(SHUT_RDWR))
        for socket in sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    private func accept() {
        while true {
            let socket = Glibc.accept(listener, nil, nil)
            guard socket >= 0 else { break }
            var one: Int32 = 1
            setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            let number = state.withLock { state -> Int? in
                guard !state.isStopped else { return nil }
                state.sockets.append(socket)
                return state.sockets.count - 1
            }
            guard let number else {
                close(socket)
                break
            }
            Thread.detachNewThread { [self] in
                serve(socket, number)
                shutdown(socket, Int32(SHUT_RDWR))
            }
        }
        close(listener)
    }

    /// Reads frames until the end; answers SETTINGS and PING, and runs the script for every request that has come whole.
    private func serve(_ socket: Int32, _ connection: Int) {
        guard read(socket, 24) != nil else { return }
        let entries = settings.flatMap { entry in
            Array(Self.bytes(UInt32(entry.0))[2...]) + Self.bytes(entry.1)
        }
        write(socket, Self.frame(type: 4, flags: 0, stream: 0, entries))
        while let header = read(socket, 9) {
            let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
            let stream = header[5...8].reduce(0) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
            guard let payload = read(socket, length) else { return }
            let (type, flags) = (header[3], header[4])
            switch type {
            case 4 where flags & 1 == 0: write(socket, Self.frame(type: 4, flags: 1, stream: 0, []))
            case 6 where flags & 1 == 0 && answersPings:
                write(socket, Self.frame(type: 6, flags: 1, stream: 0, payload))
            case 0, 1:
                guard flags & 1 != 0 else { continue }
                let number = state.withLock { state in
                    defer { state.requests += 1 }
                    return state.requests
                }
                for action in script(Request(connection: connection, stream: stream, number: number)) {
                    guard perform(action, socket, stream) else { return }
                }
            default: break
            }
        }
    }

    /// False where that ends the connection.
    private func perform(_ action: Action, _ socket: Int32, _ stream: UInt32) -> Bool {
        switch action {
        case .headers(let headers, let endStream, let other):
            write(
                socket,
                Self.frame(type: 1, flags: endStream ? 5 : 4, stream: other ?? stream, Self.headerBlock(headers)))
        case .data(let bytes, let endStream, let other):
            write(socket, Self.frame(type: 0, flags: endStream ? 1 : 0, stream: other ?? stream, bytes))
        case .reset(let code):
            write(socket, Self.frame(type: 3, flags: 0, stream: stream, Self.bytes(code)))
        case .goaway(let last, let code):
            write(socket, Self.frame(type: 7, flags: 0, stream: 0, Self.bytes(last) + Self.bytes(code)))
        case .close:
            return false
        }
        return true
    }

    // MARK: Bytes

    private static func frame(type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        Array(bytes(UInt32(payload.count))[1...]) + [type, flags] + bytes(stream) + payload
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        [UInt8(number >> 24), UInt8(number >> 16 & 0xFF), UInt8(number >> 8 & 0xFF), UInt8(number & 0xFF)]
    }

    /// Every field as a literal without indexing and without Huffman (RFC 7541, 6.2.2).
    private static func headerBlock(_ headers: [(String, String)]) -> [UInt8] {
        headers.flatMap { name, value in [0] + text(name) + text(value) }
    }

    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var length: [UInt8] = [127]
        var rest = bytes.count - 127
        while rest >= 128 {
            length.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }

    private func read(_ socket: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress! + done, count - done, 0) }
            guard got > 0 else { return nil }
            done += got
        }
        return bytes
    }

    private func write(_ socket: Int32, _ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let sent = bytes.withUnsafeBytes {
                send(socket, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return }
            done += sent
        }
    }
}

extension ScriptedServer.Action {
    /// The head of every gRPC answer.
    static let head = Self.headers([(":status", "200"), ("content-type", "application/grpc")])
    /// The end of a call that went well.
    static let ok = Self.headers([("grpc-status", "0")], endStream: true)

    /// A whole message.
    static func message(_ text: String) -> Self {
        .data(MessageFraming.frame(EchoMessage.with { $0.text = text }))
    }

    /// A whole answer.
    static func answer(_ text: String) -> [Self] { [.head, .message(text), .ok] }
}
