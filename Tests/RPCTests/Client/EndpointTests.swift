import Testing

@testable import RPC

@Suite struct EndpointTests {
    @Test(
        arguments: [
            ("localhost:7070", "localhost", 7070), ("127.0.0.1:1", "127.0.0.1", 1), ("[::1]:65535", "::1", 65535),
            ("a.b-c.example:443", "a.b-c.example", 443),
        ] as [(String, String, UInt16)])
    func hostAndPortAreRead(text: String, host: String, port: UInt16) {
        let endpoint = Endpoint(text)
        #expect(endpoint?.host == host)
        #expect(endpoint?.port == port)
        #expect(endpoint?.description == text)
    }

    @Test(arguments: [
        "", ":", ":80", "host", "host:", "host:0", "host:65536", "host:-1", "host:+1", "host: 1", "host:1x", "::1:80",
        "[::1]", "[::1:80",
        "[]:80", "a b:80", "http://host:80", "ho\u{e9}st:80", "[::1]x:80",
    ])
    func whatIsNoEndpointIsRefused(text: String) {
        #expect(Endpoint(text) == nil)
    }

    @Test func aDefaultPortStandsInForAMissingOne() {
        #expect(Endpoint("host", defaultPort: 7070) == Endpoint(host: "host", port: 7070))
        #expect(Endpoint("[::1]", defaultPort: 7070) == Endpoint(host: "::1", port: 7070))
        #expect(Endpoint("host:1", defaultPort: 7070) == Endpoint(host: "host", port: 1))
        #expect(Endpoint("host:", defaultPort: 7070) == nil)
    }

    @Test func listsAreSplitAtCommasAndBounded() {
        #expect(Endpoint.list("a:1, b:2")?.map(\.description) == ["a:1", "b:2"])
        #expect(Endpoint.list("a:1,") == nil)
        #expect(Endpoint.list("") == nil)
        let most = (1...Limits.endpoints).map { "h:\($0)" }
        #expect(Endpoint.list(most.joined(separator: ","))?.count == Limits.endpoints)
        #expect(Endpoint.list((most + ["h:9999"]).joined(separator: ",")) == nil)
    }
}
