import Protobuf

/// Why a key or a value cannot be metadata.
public enum MetadataError: Error, Sendable, Hashable {
    /// The key is empty or has a character other than `a–z`, `0–9`, `_`, `-` and `.`.
    case invalidKey(String)
    /// The key belongs to the protocol (`grpc-…`, `:…`, `content-type`, `te` and their like).
    case reservedKey(String)
    /// A text has a character outside 0x20–0x7E, or blanks at its ends, or a `-bin` key was given text, or other keys
    /// bytes.
    case invalidValue(key: String)
    /// There is no room: 256 entries, or 32 KiB in all.
    case tooLarge
}

/// The headers and trailers of a call that belong to the application: an ordered list with repeated keys.
///
/// Keys are lower case. A key that ends in `-bin` has bytes for values, any other has printable ASCII. What is in a
/// `Metadata` made here can be sent as it is; one that was received may hold text outside printable ASCII.
public struct Metadata: Sendable, Hashable {
    /// What stands under a key.
    public enum Value: Sendable, Hashable {
        /// The value of a plain key.
        case text(String)
        /// The value of a `-bin` key, decoded.
        case bytes([UInt8])
    }

    /// One key with one of its values.
    public struct Entry: Sendable, Hashable {
        /// The key in lower case.
        public let key: String
        /// The value.
        public let value: Value
    }

    /// All entries in the order in which they were added or received.
    public private(set) var entries: [Entry] = []

    /// No entries.
    public init() {}

    /// Whether there are no entries.
    public var isEmpty: Bool { entries.isEmpty }

    /// The first text under a plain key.
    public subscript(_ key: String) -> String? {
        for entry in entries where entry.key == key {
            if case .text(let text) = entry.value { return text }
        }
        return nil
    }

    /// All texts under a plain key, in order.
    public func texts(_ key: String) -> [String] {
        entries.compactMap { entry in
            guard entry.key == key, case .text(let text) = entry.value else { return nil }
            return text
        }
    }

    /// All values under a `-bin` key, in order.
    public func bytes(_ key: String) -> [[UInt8]] {
        entries.compactMap { entry in
            guard entry.key == key, case .bytes(let bytes) = entry.value else { return nil }
            return bytes
        }
    }

    /// Adds a text under a plain key, which is lower-cased.
    public mutating func add(_ key: String, _ text: String) throws(MetadataError) {
        let key = key.lowercased()
        try Metadata.check(key: key)
        guard !key.hasSuffix("-bin"), Metadata.isSendable(text) else { throw .invalidValue(key: key) }
        try append(Entry(key: key, value: .text(text)))
    }

    /// Adds bytes under a key that ends in `-bin`, which is lower-cased.
    public mutating func add(_ key: String, bytes: [UInt8]) throws(MetadataError) {
        let key = key.lowercased()
        try Metadata.check(key: key)
        guard key.hasSuffix("-bin") else { throw .invalidValue(key: key) }
        try append(Entry(key: key, value: .bytes(bytes)))
    }

    /// Adds all entries of another list behind those that are here.
    public mutating func add(contentsOf other: Metadata) throws(MetadataError) {
        for entry in other.entries { try append(entry) }
    }

    /// Takes out all values under a key.
    public mutating func remove(_ key: String) { entries.removeAll { $0.key == key } }

    /// Takes a received header as it is: names that belong to the protocol are left out, a `-bin` value is split at its
    /// commas and decoded. False where base64 is broken, which is an error of the call.
    package mutating func addReceived(name: String, value: String) -> Bool {
        guard !Metadata.isReserved(name) else { return true }
        guard name.hasSuffix("-bin") else {
            entries.append(Entry(key: name, value: .text(value)))
            return true
        }
        for part in value.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            guard let bytes = Base64.decode(part) else { return false }
            entries.append(Entry(key: name, value: .bytes(bytes)))
        }
        return true
    }

    /// Adds an entry that was checked before.
    private mutating func append(_ entry: Entry) throws(MetadataError) {
        guard entries.count < Limits.metadataEntries, wireBytes + entry.wireBytes <= Limits.metadataBytes else {
            throw .tooLarge
        }
        entries.append(entry)
    }

    /// The size as HTTP/2 counts it: name + value + 32 for each entry.
    package var wireBytes: Int { entries.reduce(0) { $0 + $1.wireBytes } }

    /// Throws unless an application may send this (lower-case) key.
    private static func check(key: String) throws(MetadataError) {
        guard !key.isEmpty, key.utf8.allSatisfy(isKeyCharacter) else { throw .invalidKey(key) }
        guard !isReserved(key) else { throw .reservedKey(key) }
    }

    /// The characters of keys that the gRPC specification allows.
    private static func isKeyCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
            UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// Text that crosses the wire unchanged: printable ASCII without blanks at its ends, which proxies trim.
    private static func isSendable(_ text: String) -> Bool {
        let bytes = text.utf8
        return bytes.allSatisfy { (0x20...0x7E).contains($0) } && bytes.first != 0x20 && bytes.last != 0x20
    }

    /// Names that the protocol keeps for itself.
    package static func isReserved(_ key: String) -> Bool {
        if key.hasPrefix(":") || key.hasPrefix("grpc-") { return true }
        switch key {
        case "content-type", "content-length", "te", "connection", "keep-alive", "proxy-connection",
            "transfer-encoding", "upgrade", "host":
            return true
        default: return false
        }
    }
}

extension Metadata.Entry {
    /// The size as HTTP/2 counts it.
    var wireBytes: Int {
        switch value {
        case .text(let text): key.utf8.count + text.utf8.count + 32
        case .bytes(let bytes): key.utf8.count + (bytes.count * 4 + 2) / 3 + 32
        }
    }

    /// The value as it crosses the wire.
    package var wireValue: String {
        switch value {
        case .text(let text): text
        case .bytes(let bytes): Base64.encode(bytes, padded: false)
        }
    }
}

extension Metadata.Value: ExpressibleByStringInterpolation {
    /// The text, so that literals of metadata read well.
    public init(stringLiteral value: String) { self = .text(value) }
}

extension Metadata: ExpressibleByDictionaryLiteral {
    /// Entries as in `["x-request-id": "7"]`. A key or value that cannot be sent is here a fault of the program.
    public init(dictionaryLiteral elements: (String, Metadata.Value)...) {
        for (key, value) in elements {
            do {
                switch value {
                case .text(let text): try add(key, text)
                case .bytes(let bytes): try add(key, bytes: bytes)
                }
            } catch {
                preconditionFailure("Metadata literal: \(error)")
            }
        }
    }
}
