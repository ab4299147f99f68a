/// What proxies say of where a call comes from, made fit for the audit trail.
enum ForwardedFor {
    /// The values of the metadata `x-forwarded-for` as one text without control characters. A proxy adds what it saw at the
    /// end, behind what the caller may have made up, so that the end is what is kept of a text that is too long.
    static func text(_ values: [String]) -> String {
        var kept: [UInt8] = []
        for byte in values.joined(separator: ", ").utf8.suffix(Limits.maxForwardedForBytes)
        where !TextRule.isControl(byte) {
            // A character of which only the end is left is none.
            if kept.isEmpty, byte & 0b1100_0000 == 0b1000_0000 { continue }
            kept.append(byte)
        }
        return String(decoding: kept, as: UTF8.self)
    }
}
