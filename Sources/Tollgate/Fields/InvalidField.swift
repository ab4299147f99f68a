/// A field of a request that cannot be taken: INVALID_ARGUMENT with reason INVALID_FIELD and a `google.rpc.BadRequest`.
package struct InvalidField: Error, Equatable, Sendable {
    /// The field by its path in the request, as `reserve.quantities["tokens"]`.
    package var field: String
    /// What is asked of it, as "must be a UUID". It never repeats the value.
    package var reason: String

    package init(_ field: String, _ reason: String) {
        self.field = field
        self.reason = reason
    }
}

extension InvalidField: CustomStringConvertible {
    package var description: String { "\(field) \(reason)" }
}
