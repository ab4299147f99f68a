/// Numbers that follow from a seed alone, everywhere and for ever, so that whatever failed can be run again. It is SplitMix64
/// (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): what a seed of the simulation stands for
/// in `Tests/FOUND.md` holds only while neither this sequence nor what is made of it here changes.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    @usableFromInline package var state: UInt64

    @inlinable package init(seed: UInt64) { state = seed }

    /// A generator with a new seed, which is printed.
    package static func printed() -> SeededRandom {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        return SeededRandom(seed: seed)
    }

    @inlinable package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

extension SeededRandom {
    /// From 0 up to, not including, `bound`.
    package mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: UInt64(bound).multipliedFullWidth(by: next()).high)
    }

    /// True in so many of a hundred cases.
    package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    package mutating func chance(_ part: Int, of whole: Int) -> Bool { below(whole) < part }

    package mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    package mutating func amount(_ range: ClosedRange<Int64>) -> Int64 {
        Int64(number(Int(range.lowerBound)...Int(range.upperBound)))
    }

    /// So many bytes.
    package mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    package mutating func pick<Item>(_ items: [Item]) -> Item? {
        items.isEmpty ? nil : items[below(items.count)]
    }

    /// A generator of its own, so that what one part of the world draws does not change what another does.
    package mutating func fork() -> SeededRandom { SeededRandom(seed: next()) }
}
