import HTTP2

/// An answer of plain HTTP, for probes and for what is not gRPC.
struct PlainAnswer {
    private let status: StaticString
    private let body: [UInt8]
    private var contentType: StaticString = "text/plain; charset=utf-8"
    private var allows: StaticString?

    /// The answer to a request that is none of gRPC's.
    init(_ refusal: GRPCRequestHead.HTTPRefusal) {
        switch refusal {
        case .methodNotAllowed:
            (status, body, allows) = ("405", Array("gRPC takes POST only\n".utf8), "POST")
        case .unsupportedMediaType:
            (status, body) = ("415", Array("gRPC takes content-type: application/grpc only\n".utf8))
        }
    }

    private init(status: StaticString, body: String) {
        self.status = status
        self.body = Array(body.utf8)
    }

    /// The answer to `GET /healthz`, as load balancers like it.
    static func health(_ health: HealthStatus) -> PlainAnswer {
        let status = health.status() ?? HealthStatus.Status(isServing: false, reason: "unknown")
        return status.isServing
            ? PlainAnswer(status: "200", body: "ok\n")
            : PlainAnswer(status: "503", body: "not serving: \(status.reason)\n")
    }

    /// The answer to `GET /metrics`, for Prometheus.
    /// - Parameter text: in the format of `MetricsText`.
    init(metrics text: [UInt8]) {
        (status, body, contentType) = ("200", text, MetricsText.contentType)
    }

    /// Sends it as the whole response.
    func send(on stream: HTTP2Stream) {
        var headers = HTTP2Headers()
        headers.add(":status", status)
        headers.add("content-type", contentType)
        headers.add(name: "content-length", value: String(body.count))
        if let allows { headers.add("allow", allows) }
        stream.sendHeaders(headers, endStream: false)
        stream.sendData(body, endStream: true)
    }
}
