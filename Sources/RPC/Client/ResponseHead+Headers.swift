import HTTP2
import Protobuf

extension ResponseHead {
    /// Reads what the protocol needs out of a block of response headers or trailers, in one pass and, for a call that goes
    /// well, without making a string.
    package init(headers: HTTP2Headers) {
        var head = ResponseHead()
        var escapedMessage = ""
        var detailsAreBroken = false
        headers.forEach { name, value in
            switch name.count {
            case 7 where name.isText(":status"):
                head.httpStatus = Self.number(value) ?? 0
            case 12 where name.isText("content-type"):
                head.isGRPC = Self.isGRPC(value)
            case 11 where name.isText("grpc-status"):
                head.status = Self.number(value).flatMap(RPCStatusCode.init(rawValue:)).map { .code($0) } ?? .unreadable
            case 12 where name.isText("grpc-message"):
                escapedMessage = String(decoding: value, as: UTF8.self)
            case 23 where name.isText("grpc-status-details-bin"):
                if let bytes = Base64.decode(value) { head.details = bytes } else { detailsAreBroken = true }
            default:
                break
            }
        }
        if !escapedMessage.isEmpty { head.message = PercentEncoding.decode(escapedMessage) }
        if detailsAreBroken { head.details = [] }
        self = head
    }

    /// A decimal number of one to three digits without sign.
    private static func number(_ text: UnsafeRawBufferPointer) -> Int? {
        guard (1...3).contains(text.count) else { return nil }
        var number = 0
        for digit in text {
            guard (0x30...0x39).contains(digit) else { return nil }
            number = number * 10 + Int(digit - 0x30)
        }
        return number
    }

    /// `application/grpc`, alone or before `+` or `;`.
    private static func isGRPC(_ value: UnsafeRawBufferPointer) -> Bool {
        let length = 16
        guard value.count >= length, UnsafeRawBufferPointer(rebasing: value[..<length]).isText("application/grpc")
        else {
            return false
        }
        guard value.count > length else { return true }
        let next = value[length]
        return next == UInt8(ascii: "+") || next == UInt8(ascii: ";") || next == UInt8(ascii: " ")
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these are the bytes of a constant.
    fileprivate func isText(_ text: StaticString) -> Bool {
        isSame(as: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

extension Metadata {
    /// The application's part of received headers; nil where base64 is broken, which is an error of the call.
    package init?(received headers: HTTP2Headers) {
        var metadata = Metadata()
        var isWhole = true
        headers.forEach { name, value in
            // What belongs to the protocol is left out before it costs a string.
            if name.first == UInt8(ascii: ":") || name.isText("content-type") || name.isText("grpc-status") { return }
            let name = String(decoding: name, as: UTF8.self)
            let value = String(decoding: value, as: UTF8.self)
            isWhole = metadata.addReceived(name: name, value: value) && isWhole
        }
        guard isWhole else { return nil }
        self = metadata
    }
}
