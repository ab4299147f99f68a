/// Makes inputs out of others, by its seed alone: what libFuzzer does without looking at the code that runs.
struct Mutator {
    private var state: UInt64
    private let pool: [[UInt8]]

    init(seed: UInt64, pool: [[UInt8]]) {
        state = seed
        self.pool = pool.isEmpty ? [[]] : pool
    }

    /// The next input.
    mutating func next() -> [UInt8] {
        var bytes = pool[below(pool.count)]
        for _ in 0...below(4) { mutate(&bytes) }
        return bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let place = below(bytes.count + 1)
        switch below(8) {
        case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(below(8))
        case 1 where place < bytes.count: bytes[place] = UInt8(below(256))
        case 2 where place < bytes.count: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][below(5)]
        case 3: bytes.insert(UInt8(below(256)), at: place)
        case 4: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(4)))
        case 5:
            let piece = bytes.dropFirst(below(bytes.count + 1)).prefix(1 + below(16))
            bytes.insert(contentsOf: Array(piece), at: place)
        case 6:
            let other = pool[below(pool.count)]
            bytes = Array(bytes[..<place]) + other.dropFirst(below(other.count + 1))
        default: bytes.insert(contentsOf: [UInt8](repeating: UInt8(below(256)), count: 1 + below(12)), at: place)
        }
    }

    /// SplitMix64; the bias of the remainder does not matter here.
    private mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ mixed >> 31) % UInt64(bound))
    }
}
