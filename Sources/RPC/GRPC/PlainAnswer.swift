import HTTP2

/// An answer of plain HTTP, for probes and for what is not gRPC.
struct PlainAnswer {
    private let status: StaticString
    private let body: String
    private var contentType: StaticString = "text/plain; charset=utf-8"
    private var allows: StaticString?

    /// The answer to a request that is none of gRPC's.
    init(_ refusal: GRPCRequestHead.HTTPRefusal) {
        switch refusal {
        case .methodNotAllowed: (status, body, allows) = ("405", "gRPC takes POST only\n", "POST")
        case .unsupportedMediaType:
            (status, body) = ("415", "gRPC takes content-type: application/grpc only\n")
        }
    }

    private init(status: StaticString, body: String) {
        self.status = status
        self.body = body
    }

    /// The answer to `GET /healthz`, as load balancers like it.
    static func health(_ health: HealthStatus) -> PlainAnswer {
        let status = health.status() ?? HealthStatus.Status(isServing: false, reason: "unknown")
        return status.isServing
            ? PlainAnswer(status: "200", body: "ok\n")
            : PlainAnswer(status: "503", body: "not serving: \(status.reason)\n")
    }

    /// The answer to `GET /metrics`, for Prometheus.
    static func metrics(_ families: [MetricFamily]) -> PlainAnswer {
        var answer = PlainAnswer(status: "200", body: MetricsText.of(families))
        answer.contentType = MetricsText.contentType
        return answer
    }

    /// Sends it as the whole response.
    func send(on stream: HTTP2Stream) {
        let body = Array(body.utf8)
        var headers = HTTP2Headers()
        headers.add(":status", status)
        headers.add("content-type", contentType)
        headers.add(name: "content-length", value: String(body.count))
        if let allows { headers.add("allow", allows) }
        stream.sendHeaders(headers, endStream: false)
        stream.sendData(body, endStream: true)
    }
}
