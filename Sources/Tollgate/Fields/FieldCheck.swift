import Ledger

/// Checks of single fields, from the wire's form to the ledger's. Each names its field where it refuses.
///
/// Fields are named by `StaticString`s, so that a request in order costs nothing but the checks.
package enum FieldCheck {
    /// A step's id or a reservation's.
    package static func id(_ text: String, _ field: StaticString) throws(InvalidField) -> StepID {
        guard let id = StepID(text) else {
            throw InvalidField("\(field)", text.isEmpty ? "is missing" : "must be a UUID")
        }
        return id
    }

    /// An id that may be left out.
    package static func optionalID(_ text: String, _ field: StaticString) throws(InvalidField) -> StepID? {
        text.isEmpty ? nil : try id(text, field)
    }

    /// A step's id or a reservation's, read in place.
    static func id(_ text: BorrowedText, _ field: StaticString) throws(InvalidField) -> StepID {
        guard let id = StepID(text: text.bytes) else {
            throw InvalidField("\(field)", text.isEmpty ? "is missing" : "must be a UUID")
        }
        return id
    }

    /// An id that may be left out, read in place.
    static func optionalID(_ text: BorrowedText, _ field: StaticString) throws(InvalidField) -> StepID? {
        text.isEmpty ? nil : try id(text, field)
    }

    /// A name: bounded, without control characters. Empty is allowed.
    package static func name(_ text: String, _ field: StaticString, maxBytes: Int) throws(InvalidField) {
        var text = text
        let fault = text.withUTF8 { nameFault(UnsafeRawBufferPointer($0), field, maxBytes: maxBytes) }
        if let fault { throw fault }
    }

    /// A name, as it lies.
    static func name(_ text: BorrowedText, _ field: StaticString, maxBytes: Int) throws(InvalidField) {
        if let fault = nameFault(text.bytes, field, maxBytes: maxBytes) { throw fault }
    }

    private static func nameFault(_ utf8: UnsafeRawBufferPointer, _ field: StaticString, maxBytes: Int) -> InvalidField?
    {
        guard utf8.count <= maxBytes else { return InvalidField("\(field)", "has more than \(maxBytes) bytes") }
        for byte in utf8 where TextRule.isControl(byte) { return InvalidField("\(field)", "has a control character") }
        return nil
    }

    /// A comment or a reason: bounded, and otherwise what the caller likes.
    package static func comment(_ text: String, _ field: StaticString) throws(InvalidField) {
        try comment(byteCount: text.utf8.count, field)
    }

    /// A comment or a reason, as it lies.
    static func comment(_ text: BorrowedText, _ field: StaticString) throws(InvalidField) {
        try comment(byteCount: text.bytes.count, field)
    }

    private static func comment(byteCount: Int, _ field: StaticString) throws(InvalidField) {
        guard byteCount <= Limits.maxCommentBytes else {
            throw InvalidField("\(field)", "has more than \(Limits.maxCommentBytes) bytes")
        }
    }

    /// An amount that must be there.
    package static func amount(_ micros: Int64, _ field: StaticString) throws(InvalidField) -> Int64 {
        guard micros > 0 else { throw InvalidField("\(field)", "must be more than 0") }
        return micros
    }

    /// An amount for which 0 means that none is named.
    package static func optionalAmount(_ micros: Int64, _ field: StaticString) throws(InvalidField) -> Int64? {
        guard micros >= 0 else { throw InvalidField("\(field)", "must not be negative") }
        return micros == 0 ? nil : micros
    }

    /// How a step says how much: by a plain amount, or by quantities, which only a fixed price does without. Nil is for
    /// quantities.
    package static func plainAmount(
        _ micros: Int64, hasQuantities: Bool
    ) throws(InvalidField) -> Int64? {
        if micros == 0 { return nil }
        guard !hasQuantities else { throw InvalidField("amount_micros", "must not be set beside quantities") }
        return try amount(micros, "amount_micros")
    }

    /// Quantities, each unit once, sorted by unit.
    /// - Parameter areKnown: The units are the catalog's, whose names need no check.
    package static func quantities(
        _ quantities: [Quantity], areKnown: Bool = false
    ) throws(InvalidField) -> [Quantity] {
        guard quantities.count <= Limits.maxQuantities else {
            throw InvalidField("quantities", "has more than \(Limits.maxQuantities) entries")
        }
        var isSorted = true
        for index in quantities.indices {
            if !areKnown { try unit(quantities[index].unit) }
            guard quantities[index].count >= 0 else {
                throw InvalidField("quantities[\"\(quantities[index].unit)\"]", "must not be negative")
            }
            if index > 0, quantities[index].unit < quantities[index - 1].unit { isSorted = false }
        }
        return isSorted ? quantities : quantities.sorted { $0.unit < $1.unit }
    }

    private static func unit(_ unit: String) throws(InvalidField) {
        guard !unit.isEmpty else { throw InvalidField("quantities", "has an empty unit") }
        try name(unit, "quantities", maxBytes: Limits.maxUnitBytes)
    }

    /// Labels, each key once, sorted by key.
    package static func labels(_ labels: [Label]) throws(InvalidField) -> [Label] {
        if labels.isEmpty { return [] }
        guard labels.count <= Limits.maxLabels else {
            throw InvalidField("labels", "has more than \(Limits.maxLabels) entries")
        }
        for label in labels {
            guard !label.key.isEmpty else { throw InvalidField("labels", "has an empty key") }
            try name(label.key, "labels", maxBytes: Limits.maxLabelKeyBytes)
            try name(label.value, "labels", maxBytes: Limits.maxLabelValueBytes)
        }
        return labels.sorted { $0.key < $1.key }
    }

    /// A quality by its number on the wire.
    package static func quality(_ rawValue: Int32, _ field: StaticString = "quality") throws(InvalidField) -> Quality {
        guard let quality = UInt8(exactly: rawValue).flatMap(Quality.init(rawValue:)) else {
            throw InvalidField("\(field)", "is none of the qualities")
        }
        return quality
    }

    /// A kind of grant by its number on the wire; it must be named.
    package static func grantKind(_ rawValue: Int32, _ field: StaticString = "kind") throws(InvalidField) -> GrantKind {
        guard let kind = UInt8(exactly: rawValue).flatMap(GrantKind.init(rawValue:)) else {
            throw InvalidField("\(field)", rawValue == 0 ? "is missing" : "is none of the kinds of grants")
        }
        return kind
    }
}
