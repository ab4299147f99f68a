import HTTP2
import Protobuf
import RPC

extension FuzzTarget {
    /// The bytes of a call cut into messages. The first byte says how they arrive in pieces, the second the limit.
    static let deframer = FuzzTarget(
        name: "deframer",
        seeds: {
            let messages: [[UInt8]] = [[], [7], [UInt8](repeating: 1, count: 40)]
            let framed = messages.flatMap { MessageFraming.frame($0) }
            return [
                [1, 100] + framed, [3, 100] + framed, [0, 10] + framed, [200, 255] + framed.dropLast(),
                [1, 5, 1, 0, 0, 0, 0],
                [1, 5, 2], [7, 5, 0, 255, 255, 255, 255], [1, 5, 0, 0, 0, 0, 6],
                [2, 5, 0, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0],
            ]
        }
    ) { bytes in
        var input = FuzzInput(bytes)
        let seed = input.byte()
        let limit = Int(input.byte())
        let expected = unframed(input.rest, limit: limit)
        var deframer = MessageDeframer(limit: limit)
        var found = Unframed()
        var rest = FuzzInput(input.rest)
        var step = seed
        while !rest.isEmpty, found.error == nil {
            // Pieces of all sizes, in an order that the seed decides.
            step = step &* 167 &+ 13
            deframer.push(rest.take(Int(step % 23) + 1))
            do throws(DeframeError) {
                let inPlace = step & 1 == 0
                while let message = try inPlace ? deframer.withNext({ Array($0) }) : deframer.next() {
                    found.messages.append(message)
                }
            } catch {
                found.error = error
            }
            if found.error == nil { try hold(deframer.pendingBytes <= limit + 27, "more is kept than can be needed") }
        }
        try hold(found.messages == expected.messages, "the pieces give other messages than the whole")
        try hold(found.error == expected.error, "\(String(describing: found.error)) for pieces of what is \(expected)")
        let single = Result { () throws(DeframeError) in try MessageDeframer.single(in: input.rest, limit: limit) }
        if case .success(let message?) = single {
            try hold(expected.messages == [Array(message)] && expected.error == nil, "the one message is another")
            try hold(MessageFraming.frame(Array(message)) == Array(input.rest), "it is framed in another way")
        } else if expected.messages.count == 1, expected.error == nil {
            let byteCount = expected.messages[0].count + MessageDeframer.prefixBytes
            try hold(byteCount < input.rest.count, "the one message is not seen")
        }
    }

    private struct Unframed {
        var messages: [[UInt8]] = []
        var error: DeframeError?
    }

    /// The messages of whole bytes, by the format's own words.
    private static func unframed(_ bytes: UnsafeRawBufferPointer, limit: Int) -> Unframed {
        var result = Unframed()
        var at = 0
        while at < bytes.count {
            if bytes[at] > 1 { result.error = .badFlag(bytes[at]) }
            if bytes[at] == 1 { result.error = .compressed }
            guard result.error == nil, at + 5 <= bytes.count else { return result }
            let length = (1...4).reduce(0) { $0 << 8 | Int(bytes[at + $1]) }
            if length > limit { result.error = .tooLarge(bytes: length, limit: limit) }
            guard result.error == nil, at + 5 + length <= bytes.count else { return result }
            result.messages.append(Array(bytes[at + 5..<at + 5 + length]))
            at += 5 + length
        }
        return result
    }

    /// `grpc-timeout`, read and written.
    static let timeout = FuzzTarget(
        name: "timeout",
        seeds: { ["0n", "1n", "99999999H", "5S", "20m", "", "5", "S", "123456789S", "-1S", "1s"].map { .text($0) } }
    ) { bytes in
        let nanoseconds = CallTimeout.parse(bytes)
        let digits = bytes.dropLast()
        let isTimeout =
            (1...8).contains(digits.count) && digits.allSatisfy { (0x30...0x39).contains($0) }
            && "HMSmun".utf8.contains(bytes.last ?? 0)
        try hold((nanoseconds != nil) == isTimeout, "taken for a time-out, or not, against the grammar")
        guard let nanoseconds else { return }
        try hold(nanoseconds >= 0, "a time-out below zero")
        let written = CallTimeout.format(nanoseconds: nanoseconds)
        guard let again = CallTimeout.parse(Array(written.utf8)) else { throw broken("\(written) is none") }
        try hold(again >= nanoseconds && (again == nanoseconds || nanoseconds > 99_999_999), "\(written) is another")
    }

    /// `grpc-message`: decoding never fails, and gives back what was encoded.
    static let percent = FuzzTarget(
        name: "percent",
        seeds: {
            ["plain", "100%", "%41%", "%zz", "%e2%98%ba", "%FF", "\n\u{7F}", "ü☺😀", "%", "%4", "%25", "e\u{301}"]
                .map { .text($0) }
        }
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let decoded = PercentEncoding.decode(text)
        try hold(decoded.utf8.count <= 3 * max(text.utf8.count, 1), "the text grew")
        for source in [text, decoded] {
            let encoded = PercentEncoding.encode(source)
            try hold(encoded.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "\(encoded) cannot be sent")
            try hold(encoded.utf8.count <= 3 * Limits.statusMessageBytes, "more is sent than may be")
            let again = PercentEncoding.decode(encoded)
            let isCut = source.utf8.count > Limits.statusMessageBytes
            try hold(
                isCut ? source.utf8.starts(with: again.utf8) : Array(again.utf8) == Array(source.utf8),
                "\(encoded) is decoded to something else")
        }
    }

    /// The answer's side of a call, as a client sees it: head, messages, trailers and the stream's end, in any order. A
    /// byte says what comes; headers stand in lines.
    static let response = FuzzTarget(
        name: "response",
        seeds: {
            let head = "h:status: 200\ncontent-type: application/grpc\n\n"
            return [
                head + "tgrpc-status: 0\n\n", head + "tgrpc-status: 5\ngrpc-message: no%20such\n\n",
                "e:status: 200\ncontent-type: application/grpc\ngrpc-status: 13\ngrpc-status-details-bin: CA0SAWE\n\n",
                "e:status: 503\n\n", head + "d", head + head, "c", "r", head + "r", head + "ttgrpc-status: 0\n\n",
                head + "b", head + "tgrpc-status: 00\ngrpc-status: 16\n\n", head + "pgrpc-status: 0\n\n",
            ].map { .text($0) }
        }
    ) { bytes in
        var input = FuzzInput(bytes)
        var machine = ResponseMachine()
        var ends = 0
        var wasHead = false
        while !input.isEmpty {
            let event = input.byte()
            var end: ResponseEnd?
            switch event {
            case UInt8(ascii: "h"), UInt8(ascii: "e"):
                // The connection gives the first block to the head alone, and none after the end.
                guard !wasHead, ends == 0 else { break }
                wasHead = true
                end = machine.head(ResponseHead(headers: headers(&input)), endStream: event == UInt8(ascii: "e"))
            case UInt8(ascii: "t"), UInt8(ascii: "p"):
                let partialBytes = event == UInt8(ascii: "p") ? 3 : 0
                let head = ResponseHead(headers: headers(&input))
                end = machine.trailers(head, partialBytes: partialBytes)
                if case .ok = end {
                    try hold(
                        head.status == .code(.ok) && partialBytes == 0, "a call went well without a status that says so"
                    )
                }
            case UInt8(ascii: "d"): end = machine.endWithoutTrailers(partialBytes: 0)
            case UInt8(ascii: "b"): if ends == 0 { end = machine.broken(.compressed) }
            case UInt8(ascii: "c"):
                if let error = machine.closed(errorCode: UInt32(input.byte()), connectionError: nil) {
                    end = .failed(error)
                }
            default: break
            }
            if let end {
                ends += 1
                if case .failed(let error) = end { try hold(error.code != .ok, "a failure with the status OK") }
            }
            try hold(ends <= 1, "the call ended twice")
            try hold(
                !machine.takesMessages || (wasHead && ends == 0), "messages are taken before the head or after the end")
        }
        if machine.closed(errorCode: 8, connectionError: nil) != nil { ends += 1 }
        try hold(ends == 1, "the call has \(ends) ends")
    }
}
