import HTTP2
import Protobuf

/// What the server makes of a request's headers, before anything of the call exists.
enum GRPCRequestHead {
    /// A gRPC call of a known method.
    case call(RegisteredMethod, timeoutNs: Int64?)
    /// A gRPC call that ends at once.
    case refused(RPCError)
    /// A gRPC call whose messages are encoded in a way that is not known here.
    case unknownEncoding
    /// `GET /healthz`.
    case healthCheck
    /// `GET /metrics`.
    case metrics
    /// Not gRPC: an HTTP status.
    case http(HTTPRefusal)

    /// Why a request is none of gRPC's.
    enum HTTPRefusal {
        case methodNotAllowed
        case unsupportedMediaType
    }

    /// Reads the headers once, from the first to the last (WIRE.md, gRPC 3–6).
    init(_ headers: HTTP2Headers, methods: MethodTable) {
        var fields = Fields()
        headers.forEach { name, value in fields.see(name, value, methods: methods) }
        guard fields.isPost else {
            switch fields.page {
            case .health where fields.isGet: self = .healthCheck
            case .metrics where fields.isGet: self = .metrics
            default: self = .http(.methodNotAllowed)
            }
            return
        }
        guard fields.isGRPC else {
            self = .http(.unsupportedMediaType)
            return
        }
        if fields.hasBrokenBinary {
            self = .refused(RPCError(code: .internal, message: "binary metadata is not base64"))
        } else if !fields.isIdentity {
            self = .unknownEncoding
        } else if fields.hasBrokenTimeout {
            self = .refused(RPCError(code: .invalidArgument, message: "grpc-timeout is malformed"))
        } else if let method = fields.method {
            self = .call(method, timeoutNs: fields.timeoutNs)
        } else {
            let path = headers.value(of: ":path") ?? ""
            self = .refused(RPCError(code: .unimplemented, message: "there is no method \(path)"))
        }
    }

    /// What is told to who is no caller of gRPC.
    private enum Page {
        case health, metrics

        init?(path: UnsafeRawBufferPointer) {
            if path.equals("/healthz") || path.starts(with: "/healthz?") {
                self = .health
            } else if path.equals("/metrics") || path.starts(with: "/metrics?") {
                self = .metrics
            } else {
                return nil
            }
        }
    }

    /// What one pass over the headers finds. A name's length tells most names apart, so that few are compared.
    private struct Fields {
        var isPost = false
        var isGet = false
        var page: Page?
        var isGRPC = false
        var isIdentity = true
        var hasBrokenBinary = false
        var hasBrokenTimeout = false
        var timeoutNs: Int64?
        var method: RegisteredMethod?

        mutating func see(
            _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, methods: MethodTable
        ) {
            switch name.count {
            case 5 where name.equals(":path"):
                method = methods.find(value)
                if method == nil { page = Page(path: value) }
            case 7 where name.equals(":method"):
                isPost = value.equals("POST")
                isGet = value.equals("GET")
            case 12 where name.equals("content-type"):
                isGRPC = Fields.isGRPC(value)
            case 12 where name.equals("grpc-timeout"):
                timeoutNs = CallTimeout.parse(value)
                hasBrokenTimeout = timeoutNs == nil
            case 13 where name.equals("grpc-encoding"):
                isIdentity = value.equals("identity")
            default:
                // A proxy may have joined several values: split before decoding.
                if name.count > 4, name[name.count - 4] == UInt8(ascii: "-"), name.ends(with: "-bin") {
                    let parts = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                    if !parts.allSatisfy({ Base64.decode($0) != nil }) { hasBrokenBinary = true }
                }
            }
        }

        /// `application/grpc`, or that with `+proto`; parameters may follow. `application/grpcx` is something else.
        private static func isGRPC(_ value: UnsafeRawBufferPointer) -> Bool {
            guard value.starts(with: "application/grpc") else { return false }
            var rest = UnsafeRawBufferPointer(rebasing: value[16...])
            if rest.starts(with: "+proto") { rest = UnsafeRawBufferPointer(rebasing: rest[6...]) }
            guard let next = rest.first else { return true }
            return next == UInt8(ascii: ";") || next == UInt8(ascii: " ") || next == UInt8(ascii: "\t")
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these are the bytes of a constant.
    func equals(_ text: StaticString) -> Bool {
        isSame(as: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Whether the bytes begin with those of a constant.
    func starts(with text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        return UnsafeRawBufferPointer(rebasing: self[..<text.utf8CodeUnitCount]).equals(text)
    }

    /// Whether the bytes end with those of a constant.
    func ends(with text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        return UnsafeRawBufferPointer(rebasing: self[(count - text.utf8CodeUnitCount)...]).equals(text)
    }
}
