import SeededRandom

extension SeededRandom {
    /// True once in so many times.
    mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    /// One of the values, or any other number.
    mutating func integer<I: FixedWidthInteger>(_ type: I.Type = I.self) -> I {
        switch Int.random(in: 0..<4, using: &self) {
        case 0: I.random(in: I.min...I.max, using: &self)
        case 1: [I.min, I.max, I.max - 1, 0, 1].randomElement(using: &self)!
        default:
            I(truncatingIfNeeded: UInt64(1) << UInt64.random(in: 0..<64, using: &self))
                &- I.random(in: 0...1, using: &self)
        }
    }

    /// A number that equals itself: anything but NaN.
    mutating func double() -> Double {
        let value = Double(bitPattern: next())
        return oneIn(4)
            ? [0, -0.0, .infinity, -.infinity, 1.5].randomElement(using: &self)! : (value.isNaN ? 0.1 : value)
    }

    /// As `double`.
    mutating func float() -> Float {
        let value = Float(bitPattern: UInt32(truncatingIfNeeded: next()))
        return oneIn(4)
            ? [0, -0.0, .infinity, -.infinity, 1.5].randomElement(using: &self)! : (value.isNaN ? 0.1 : value)
    }

    /// Text of all lengths of UTF-8, with quotes and control characters, but without characters that combine: two texts that
    /// differ only in their normal form are equal in Swift and not elsewhere.
    mutating func text(maxCount: Int = 20) -> String {
        let letters = Array("abcXYZ019 _-\"\\/\n\t\u{0}\u{7F}äßЖ中€😀🂡")
        let count = oneIn(8) ? maxCount * 12 : Int.random(in: 0...maxCount, using: &self)
        return String((0..<count).map { _ in letters.randomElement(using: &self)! })
    }

    /// Any bytes.
    mutating func bytes(maxCount: Int = 20) -> [UInt8] {
        let count = oneIn(8) ? maxCount * 12 : Int.random(in: 0...maxCount, using: &self)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// A few values.
    mutating func list<T>(_ make: (inout SeededRandom) -> T) -> [T] {
        let count = oneIn(2) ? 0 : (oneIn(10) ? 50 : Int.random(in: 1...5, using: &self))
        return (0..<count).map { _ in make(&self) }
    }
}
