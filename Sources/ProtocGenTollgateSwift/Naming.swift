/// How names of a schema become names of Swift.
enum Naming {
    /// Words that are written in capitals, except at the beginning of a name.
    private static let acronyms: Set<String> = [
        "id", "url", "ai", "api", "json", "utc", "ip", "http", "https", "sha256",
    ]

    private static let keywords: Set<String> = [
        "associatedtype", "class", "deinit", "enum", "extension", "fileprivate", "func", "import", "inout", "internal",
        "let",
        "open", "operator", "private", "precedencegroup", "protocol", "public", "rethrows", "static", "struct",
        "subscript",
        "typealias", "var", "break", "case", "catch", "continue", "default", "defer", "do", "else", "fallthrough",
        "for",
        "guard", "if", "in", "repeat", "return", "throw", "switch", "where", "while", "as", "false", "is", "nil",
        "super",
        "true", "try",
    ]

    /// Names of types that mean something else in Swift, or in the code that is generated.
    private static let takenTypes: Set<String> = [
        "Any", "Self", "Type", "Protocol", "String", "Bool", "Int32", "Int64", "UInt8", "UInt32", "UInt64", "Float",
        "Double",
        "Message", "MessageEnum", "UnknownFields", "WireReader", "WireWriter", "WireError", "JSONWriter", "Duration",
        "Error",
    ]

    /// `reservation_id` as `reservationID`.
    static func property(_ name: String) -> String {
        let result = camel(name.split(separator: "_").map(String.init))
        // These mean something in every message or cannot be escaped.
        if ["unknownFields", "init", "self", "Type", "messageName"].contains(result) { return result + "Field" }
        return escaped(result)
    }

    /// `RESERVATION_STATE_OPEN` of the enum `ReservationState` as `open`.
    static func enumCase(_ name: String, of enumName: String) -> String {
        let prefix = upperSnake(enumName) + "_"
        var words = name.split(separator: "_").map { $0.lowercased() }
        if name.hasPrefix(prefix), name.dropFirst(prefix.count).first?.isLetter == true {
            words = name.dropFirst(prefix.count).split(separator: "_").map { $0.lowercased() }
        }
        let result = camel(words)
        if ["rawValue", "protoName", "unrecognized", "init", "self"].contains(result) { return result + "Case" }
        return escaped(result)
    }

    /// `SetAIEnabled` as `setAIEnabled`, `AIThing` as `aiThing`.
    static func method(_ name: String) -> String {
        let capitals = name.prefix { $0.isUppercase }.count
        let lowered = max(1, capitals < name.count ? capitals - 1 : capitals)
        return escaped(name.prefix(lowered).lowercased() + name.dropFirst(lowered))
    }

    /// The name of a message or enum, changed only where it is taken.
    static func type(_ name: String) -> String { takenTypes.contains(name) ? name + "Message" : name }

    /// `message_request` as `MessageRequest`.
    static func oneofType(_ name: String) -> String {
        name.split(separator: "_").map { capitalized(String($0)) }.joined()
    }

    /// A name without the marks that make a keyword a name, where a member of something needs none.
    static func member(_ name: String) -> String { name.filter { $0 != "`" } }

    private static func camel(_ words: [String]) -> String {
        guard let first = words.first else { return "_" }
        return first + words.dropFirst().map { acronyms.contains($0) ? $0.uppercased() : capitalized($0) }.joined()
    }

    private static func capitalized(_ word: String) -> String { word.prefix(1).uppercased() + word.dropFirst() }

    private static func escaped(_ name: String) -> String { keywords.contains(name) ? "`\(name)`" : name }

    /// `ReservationState` as `RESERVATION_STATE`, `AIState` as `AI_STATE`.
    private static func upperSnake(_ name: String) -> String {
        let letters = Array(name)
        var result = ""
        for (index, letter) in letters.enumerated() {
            let beginsWord =
                letter.isUppercase && index > 0
                && (!letters[index - 1].isUppercase || (index + 1 < letters.count && letters[index + 1].isLowercase))
            result += (beginsWord ? "_" : "") + letter.uppercased()
        }
        return result
    }
}
