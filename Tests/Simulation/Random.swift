/// SplitMix64: the same numbers for the same seed, everywhere and for ever.
struct Random: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// From 0 up to, not including, `bound`.
    mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: UInt64(bound).multipliedFullWidth(by: next()).high)
    }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    mutating func chance(_ part: Int, of whole: Int) -> Bool { below(whole) < part }

    mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    mutating func amount(_ range: ClosedRange<Int64>) -> Int64 {
        Int64(number(Int(range.lowerBound)...Int(range.upperBound)))
    }

    mutating func pick<Item>(_ items: [Item]) -> Item? {
        items.isEmpty ? nil : items[below(items.count)]
    }

    /// A generator of its own, so that what one part of the world draws does not change what another does.
    mutating func fork() -> Random { Random(seed: next()) }
}

/// What a run came to, as one number: two runs of one seed must have the same.
struct Digest {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ number: UInt64) {
        value = (value ^ number) &* 0x9FB2_1C65_1E98_DF25
        value ^= value >> 29
    }

    mutating func add(_ number: Int64) { add(UInt64(bitPattern: number)) }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var at = 0
        while at + 8 <= bytes.count {
            add(bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at += 8
        }
        var rest: UInt64 = UInt64(bytes.count)
        while at < bytes.count {
            rest = rest << 8 | UInt64(bytes[at])
            at += 1
        }
        add(rest)
    }

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var digest = Digest()
        digest.add(bytes)
        return digest.value
    }
}
