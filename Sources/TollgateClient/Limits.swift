/// Bounds of this module, in one place.
enum Limits {
    /// The most attempts that a retry policy may ask for.
    static let attempts = 100
}
