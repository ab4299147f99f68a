/// What is asked of every text that comes in.
enum TextRule {
    /// U+0000 to U+001F and U+007F, which no name needs and which spoil logs and tables.
    static func isControl(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == 0x7F
    }
}
