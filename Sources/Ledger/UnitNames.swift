/// Names of units that products commonly meter by. In an entry's quantities a number stands for each, as in HPACK's static
/// table (RFC 7541, appendix A): names are a third of what an entry takes otherwise. A unit of any other name is stored as
/// its text. The numbers are on disks: names are added at the end, and none is ever changed or taken away.
enum UnitNames {
    /// The version of `EntryCodec` that has them.
    static let firstVersion: UInt8 = 3

    private static let names: [StaticString] = [
        "context_tokens", "generated_tokens", "input_tokens", "output_tokens", "prompt_tokens", "completion_tokens",
        "cached_tokens", "reasoning_tokens", "total_tokens", "tokens", "images", "pixels", "megapixels", "seconds",
        "minutes", "hours", "milliseconds", "audio_seconds", "video_seconds", "characters", "words", "pages",
        "documents", "rows", "bytes", "kilobytes", "megabytes", "gigabytes", "requests", "calls", "messages",
        "queries", "searches", "results", "credits", "units", "items", "steps", "frames", "runs", "tasks",
        "actions", "events", "exports", "downloads", "generations", "variations", "edits", "embeddings", "files",
        "users", "sessions",
    ]

    private static let texts = names.map(\.description)

    /// By `slot`, the number after that of the name there; 0 where there is none. Half of them are free, so that a name is
    /// found, or not, after a look or two.
    private static let table: [UInt8] = {
        var table = [UInt8](repeating: 0, count: slots)
        for (number, name) in names.enumerated() {
            var slot = slot(of: bytes(of: name))
            while table[slot] != 0 { slot = (slot + 1) % slots }
            table[slot] = UInt8(number + 1)
        }
        return table
    }()

    private static let slots = 128

    private static func bytes(of name: StaticString) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    }

    /// Names differ most in their length and at their ends.
    private static func slot(of name: UnsafeBufferPointer<UInt8>) -> Int {
        (name.count &* 37 &+ Int(name[0]) &* 11 &+ Int(name[name.count - 1]) &* 5 &+ Int(name[name.count / 2])) % slots
    }

    /// Eight bytes at a time, the last of them once more where that many are not left.
    private static func areSame(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
        guard a.count == b.count else { return false }
        guard a.count >= 8 else { return a.elementsEqual(b) }
        let (a, b) = (UnsafeRawBufferPointer(a), UnsafeRawBufferPointer(b))
        var at = 0
        while true {
            let (word, other) = (
                a.loadUnaligned(fromByteOffset: at, as: UInt64.self),
                b.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            )
            guard word == other else { return false }
            if at == a.count - 8 { return true }
            at = min(at + 8, a.count - 8)
        }
    }

    /// Nil where no name has the number.
    static func name(of number: UInt64) -> String? {
        number < UInt64(texts.count) ? texts[Int(number)] : nil
    }

    /// Nil where the name has none.
    static func number(of name: UnsafeBufferPointer<UInt8>) -> Int? {
        guard !name.isEmpty else { return nil }
        var slot = slot(of: name)
        while table[slot] != 0 {
            let number = Int(table[slot]) - 1
            if areSame(bytes(of: names[number]), name) { return number }
            slot = (slot + 1) % slots
        }
        return nil
    }
}
