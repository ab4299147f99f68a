/// Which list a page token belongs to: a token of one list is refused by another.
package enum PagedList: UInt8, Sendable {
    case transactions = 1
    case reservations = 2
    case grants = 3
    case tenants = 4
    case keys = 5
    case members = 6
    case auditEvents = 7
}

/// Where a list goes on: a number or a name, by what the list is sorted by. To callers it is an opaque text.
package enum PageCursor: Equatable, Sendable {
    case number(UInt64)
    case name(String)
}

extension PageCursor {
    /// The text for `next_page_token`: the list's tag, the cursor's kind and its bytes, in hexadecimal digits.
    package func token(of list: PagedList) -> String {
        var bytes: [UInt8] = [list.rawValue]
        switch self {
        case .number(let number):
            bytes.append(0)
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        case .name(let name):
            bytes.append(1)
            bytes.append(contentsOf: name.utf8)
        }
        return String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            for (index, byte) in bytes.enumerated() {
                buffer[index * 2] = PageCursor.hexDigits[Int(byte >> 4)]
                buffer[index * 2 + 1] = PageCursor.hexDigits[Int(byte & 0xF)]
            }
            return bytes.count * 2
        }
    }

    /// The cursor of a `page_token`; nil for the first page.
    package init?(token: String, of list: PagedList) throws(InvalidField) {
        if token.isEmpty { return nil }
        guard let bytes = PageCursor.bytes(ofHex: token), bytes.count >= 2, bytes[0] == list.rawValue else {
            throw PageCursor.foreign
        }
        let content = bytes[2...]
        switch bytes[1] {
        case 0 where content.count == 8:
            self = .number(content.reduce(0) { $0 << 8 | UInt64($1) })
        case 1:
            guard let name = String(validating: content, as: UTF8.self) else { throw PageCursor.foreign }
            self = .name(name)
        default:
            throw PageCursor.foreign
        }
    }

    private static let foreign = InvalidField("page_token", "was not given by this list")
    private static let hexDigits = Array("0123456789abcdef".utf8)

    private static func bytes(ofHex text: String) -> [UInt8]? {
        let digits = Array(text.utf8.prefix(Limits.maxPageTokenBytes + 1))
        guard digits.count <= Limits.maxPageTokenBytes, digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = hexDigits.firstIndex(of: digits[index]),
                let low = hexDigits.firstIndex(of: digits[index + 1])
            else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }
}

extension FieldCheck {
    /// How many entries a page may have.
    package static func pageSize(_ size: Int32) throws(InvalidField) -> Int {
        guard size >= 0 else { throw InvalidField("page_size", "must not be negative") }
        return size == 0 ? Limits.defaultPageSize : min(Int(size), Limits.maxPageSize)
    }
}
