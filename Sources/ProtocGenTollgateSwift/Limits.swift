/// Bounds of this program, in one place.
enum Limits {
    /// How many base64 characters stand on a line of an embedded descriptor.
    static let base64LineLength = 112
}
