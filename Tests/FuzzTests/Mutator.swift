import SeededRandom

/// Makes inputs out of others, by its seed alone: what libFuzzer does without looking at the code that runs.
struct Mutator {
    private var random: SeededRandom
    private let pool: [[UInt8]]

    init(seed: UInt64, pool: [[UInt8]]) {
        random = SeededRandom(seed: seed)
        self.pool = pool.isEmpty ? [[]] : pool
    }

    /// The next input.
    mutating func next() -> [UInt8] {
        var bytes = pool[random.below(pool.count)]
        for _ in 0...random.below(4) { mutate(&bytes) }
        return bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let place = random.below(bytes.count + 1)
        switch random.below(8) {
        case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1 where place < bytes.count: bytes[place] = UInt8(random.below(256))
        case 2 where place < bytes.count: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)]
        case 3: bytes.insert(UInt8(random.below(256)), at: place)
        case 4: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(4)))
        case 5:
            let piece = bytes.dropFirst(random.below(bytes.count + 1)).prefix(1 + random.below(16))
            bytes.insert(contentsOf: Array(piece), at: place)
        case 6:
            let other = pool[random.below(pool.count)]
            bytes = Array(bytes[..<place]) + other.dropFirst(random.below(other.count + 1))
        default:
            bytes.insert(
                contentsOf: [UInt8](repeating: UInt8(random.below(256)), count: 1 + random.below(12)), at: place)
        }
    }
}
