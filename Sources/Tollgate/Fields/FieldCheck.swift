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

    /// A name: bounded, without control characters. Empty is allowed.
    package static func name(_ text: String, _ field: StaticString, maxBytes: Int) throws(InvalidField) {
        guard text.utf8.count <= maxBytes else { throw InvalidField("\(field)", "has more than \(maxBytes) bytes") }
        if text.utf8.contains(where: TextRule.isControl) {
            throw InvalidField("\(field)", "has a control character")
        }
    }

    /// A comment or a reason: bounded, and otherwise what the caller likes.
    package static func comment(_ text: String, _ field: StaticString) throws(InvalidField) {
        guard text.utf8.count <= Limits.maxCommentBytes else {
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

    /// How a step says how much: exactly one of quantities and a plain amount. Nil is for quantities.
    package static func plainAmount(
        _ micros: Int64, hasQuantities: Bool
    ) throws(InvalidField) -> Int64? {
        guard hasQuantities else { return try amount(micros, "amount_micros") }
        guard micros == 0 else { throw InvalidField("amount_micros", "must not be set beside quantities") }
        return nil
    }

    /// Quantities by unit, sorted by unit.
    package static func quantities(_ counts: [String: Int64]) throws(InvalidField) -> [Quantity] {
        guard counts.count <= Limits.maxQuantities else {
            throw InvalidField("quantities", "has more than \(Limits.maxQuantities) entries")
        }
        var quantities: [Quantity] = []
        quantities.reserveCapacity(counts.count)
        for (unit, count) in counts {
            guard !unit.isEmpty else { throw InvalidField("quantities", "has an empty unit") }
            try name(unit, "quantities", maxBytes: Limits.maxUnitBytes)
            guard count >= 0 else { throw InvalidField("quantities[\"\(unit)\"]", "must not be negative") }
            quantities.append(Quantity(unit: unit, count: count))
        }
        if quantities.count > 1 { quantities.sort { $0.unit < $1.unit } }
        return quantities
    }

    /// Labels, sorted by key.
    package static func labels(_ texts: [String: String]) throws(InvalidField) -> [Label] {
        if texts.isEmpty { return [] }
        guard texts.count <= Limits.maxLabels else {
            throw InvalidField("labels", "has more than \(Limits.maxLabels) entries")
        }
        var labels: [Label] = []
        labels.reserveCapacity(texts.count)
        for (key, value) in texts {
            guard !key.isEmpty else { throw InvalidField("labels", "has an empty key") }
            try name(key, "labels", maxBytes: Limits.maxLabelKeyBytes)
            try name(value, "labels", maxBytes: Limits.maxLabelValueBytes)
            labels.append(Label(key: key, value: value))
        }
        labels.sort { $0.key < $1.key }
        return labels
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
