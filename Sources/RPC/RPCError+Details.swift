import Protobuf

extension RPCError {
    /// What goes into `grpc-status-details-bin`; nil without details, or where they are too large for a header.
    package var statusDetails: [UInt8]? {
        guard !details.isEmpty else { return nil }
        let bytes = Status.with {
            $0.code = Int32(code.rawValue)
            $0.message = message
            $0.details = details
        }.wireBytes()
        return bytes.count <= Limits.statusDetailsBytes ? bytes : nil
    }

    /// The first detail of a type, if there is one that can be read.
    public func detail<Detail: Message>(_ type: Detail.Type = Detail.self) -> Detail? {
        for detail in details {
            if let found = try? detail.unpack(Detail.self) { return found }
        }
        return nil
    }

    /// Why, as a program may tell it: a reason within a domain, with further particulars.
    public var errorInfo: ErrorInfo? { detail() }

    /// When the caller may try again.
    public var retryInfo: RetryInfo? { detail() }

    /// Which fields of the request were wrong.
    public var badRequest: BadRequest? { detail() }
}

extension ProtoAny {
    /// `google.rpc.RetryInfo`: the caller may try again after so long.
    static func retry(afterMs: Int64) -> ProtoAny {
        ProtoAny(packing: RetryInfo.with { $0.retryDelay = ProtoDuration(.milliseconds(afterMs)) })
    }
}
