/// Numbers and texts as the codec writes them.
extension [UInt8] {
    /// Seven bits a byte, the low ones first.
    @inline(__always)
    mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// Small numbers of either sign are short.
    @inline(__always)
    mutating func appendZigZag(_ value: Int64) {
        appendVarint(value.zigZag)
    }

    @inline(__always)
    mutating func appendFixed(_ value: UInt64) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    mutating func append(_ id: StepID) {
        Swift.withUnsafeBytes(of: (id.high.bigEndian, id.low.bigEndian)) { append(contentsOf: $0) }
    }

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            appendVarint(UInt64(bytes.count))
            append(contentsOf: bytes)
        }
    }

    /// The name of a unit: twice its length and the text, or an odd code that says which of `UnitNames` it is.
    mutating func append(unit: String) {
        var unit = unit
        unit.withUTF8 { bytes in
            if let number = UnitNames.number(of: bytes) {
                appendVarint(UInt64(number) << 1 | 1)
            } else {
                appendVarint(UInt64(bytes.count) << 1)
                append(contentsOf: bytes)
            }
        }
    }

    /// A distance in time: whole seconds are short. Code 1, microseconds of nothing, says that eight bytes follow.
    mutating func appendDistance(from start: Instant, to end: Instant) {
        let distance = end.microseconds &- start.microseconds
        let (seconds, rest) = distance.quotientAndRemainder(dividingBy: 1_000_000)
        if rest == 0 {
            appendVarint(seconds.zigZag << 1)
        } else if distance.zigZag >> 63 == 0 {
            appendVarint(distance.zigZag << 1 | 1)
        } else {
            append(1)
            appendFixed(UInt64(bitPattern: distance))
        }
    }
}

extension Int64 {
    @inline(__always)
    var zigZag: UInt64 { UInt64(bitPattern: self << 1 ^ self >> 63) }

    @inline(__always)
    init(zigZag: UInt64) {
        self = Int64(bitPattern: zigZag >> 1) ^ -Int64(bitPattern: zigZag & 1)
    }
}
