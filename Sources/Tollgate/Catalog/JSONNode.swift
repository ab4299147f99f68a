/// A value of a JSON text that knows on which line it begins, so that a fault in a file can be shown where it is.
package struct JSONNode: Equatable, Sendable {
    /// From 1.
    package var line: Int
    package var value: Value

    package enum Value: Equatable, Sendable {
        case null
        case bool(Bool)
        /// A number that is whole and fits 64 bits, written without fraction or exponent.
        case integer(Int64)
        /// Any other number, as it was written.
        case number(String)
        case string(String)
        case array([JSONNode])
        /// In the order of the file; a name stands at most once.
        case object([Member])
    }

    /// One name of an object with its value.
    package struct Member: Equatable, Sendable {
        package var name: String
        /// The line of the name.
        package var line: Int
        package var node: JSONNode
    }

    /// What this is, for a sentence such as "must be an object, not a string".
    package var kindName: String {
        switch value {
        case .null: "null"
        case .bool: "true or false"
        case .integer: "a whole number"
        case .number: "a number with a fraction, an exponent or too many digits"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// Why a text is not JSON, and on which line.
package struct JSONSyntaxError: Error, Equatable, Sendable {
    package var line: Int
    package var reason: String
}
