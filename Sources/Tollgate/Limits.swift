/// Bounds of this module, in one place.
enum Limits {}
