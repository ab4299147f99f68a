/// One server: a host name or address, and a port.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    public let host: String
    /// The TCP port.
    public let port: UInt16

    /// A server at a host and port.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `[::1]:port`, or a bare host where a default port is given. Nil for anything else.
    public init?(_ text: some StringProtocol, defaultPort: UInt16? = nil) {
        let host: Substring
        let rest: Substring
        let text = Substring(text)
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<close]
            rest = text[text.index(after: close)...]
        } else {
            let colon = text.lastIndex(of: ":") ?? text.endIndex
            host = text[..<colon]
            rest = text[colon...]
            // An IPv6 address without brackets does not say where its port begins.
            guard !host.contains(":") else { return nil }
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") }) else {
            return nil
        }
        if rest.isEmpty, let defaultPort {
            self.init(host: String(host), port: defaultPort)
        } else {
            guard rest.first == ":", rest.utf8.count > 1,
                rest.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let port = UInt16(rest.dropFirst()), port > 0
            else { return nil }
            self.init(host: String(host), port: port)
        }
    }

    /// Reads a list such as `a:7070,b:7070`. Nil where one of them is wrong, there is none, or there are too many.
    public static func list(_ text: String, defaultPort: UInt16? = nil) -> [Endpoint]? {
        var endpoints: [Endpoint] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let trimmed = part.drop { $0 == " " }
            guard let endpoint = Endpoint(trimmed, defaultPort: defaultPort) else { return nil }
            endpoints.append(endpoint)
        }
        return endpoints.isEmpty || endpoints.count > Limits.endpoints ? nil : endpoints
    }

    /// The form that goes into `:authority`.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
