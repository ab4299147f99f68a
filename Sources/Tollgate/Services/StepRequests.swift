import Ledger
import Protobuf
import TollgateSchema

/// Bytes of requests that are kept beyond the call that brought them.
final class StepBytes {
    private var memory = UnsafeMutableRawPointer.allocate(byteCount: 4_096, alignment: 1)
    private var capacity = 4_096
    private(set) var count = 0

    init() {}

    convenience init(_ bytes: UnsafeRawBufferPointer) {
        self.init()
        append(bytes)
    }

    deinit { memory.deallocate() }

    /// Where they lie until more are appended.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

    func append(_ more: UnsafeRawBufferPointer) {
        if count + more.count > capacity {
            capacity = max(2 * capacity, count + more.count)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 1)
            larger.copyMemory(from: memory, byteCount: count)
            memory.deallocate()
            memory = larger
        }
        UnsafeMutableRawBufferPointer(start: memory + count, count: more.count).copyMemory(from: more)
        count += more.count
    }
}

/// The requests of many steps, read in place: they are valid while their bytes are.
struct StepRequests {
    /// In their order; of one that names no step only the place counts.
    private(set) var all: ContiguousArray<StepRequest> = []
    /// Those that name no step.
    private(set) var unnamed: [Int] = []
    /// Whether the last one names a step.
    private var isNamed = false

    /// Reads all steps of a `BatchRequest`, of which no more than `limit` are kept.
    /// - Returns: how many there are.
    mutating func readBatch(
        _ bytes: UnsafeRawBufferPointer, units: NameTable<String>, keeping limit: Int
    ) throws(WireError) -> Int {
        var count = 0
        var reader = try WireReader(bytes)
        while let tag = try reader.nextTag() {
            guard tag == 10 else {
                try reader.skip(tag)
                continue
            }
            count += 1
            begin()
            try reader.nested { (reader) throws(WireError) in try readStep(&reader, units) }
            if count <= limit { end() } else { all.removeLast() }
        }
        return count
    }

    /// Reads a `MeterRequest`; of one that cannot be read nothing is kept.
    /// - Returns: its tag.
    mutating func readMeterRequest(
        _ bytes: UnsafeRawBufferPointer, units: NameTable<String>
    ) throws(WireError) -> UInt64 {
        var tag: UInt64 = 0
        begin()
        do throws(WireError) {
            var reader = try WireReader(bytes)
            while let field = try reader.nextTag() {
                switch field {
                case 8: tag = try reader.uint64()
                case 18: try reader.nested { (reader) throws(WireError) in try readStep(&reader, units) }
                default: try reader.skip(field)
                }
            }
        } catch {
            all.removeLast()
            throw error
        }
        end()
        return tag
    }

    /// A step begins, of which nothing is known.
    private mutating func begin() {
        all.append(StepRequest(.reserve))
        isNamed = false
    }

    private mutating func end() {
        if !isNamed { unnamed.append(all.count - 1) }
    }

    /// The fields of a `Step`, where they are to stay: of its choices the last counts, merged with what came of the same one
    /// before.
    private mutating func readStep(_ reader: inout WireReader, _ units: NameTable<String>) throws(WireError) {
        let last = all.count - 1
        while let tag = try reader.nextTag() {
            guard let kind = StepKind(tag: tag) else {
                try reader.skip(tag)
                continue
            }
            if !isNamed || all[last].kind != kind { all[last] = StepRequest(kind) }
            isNamed = true
            try reader.nested { (reader) throws(WireError) in try all[last].decode(from: &reader, units: units) }
        }
    }
}

extension StepKind {
    /// The choice of `Step` with this tag.
    init?(tag: UInt32) {
        switch tag {
        case 10: self = .reserve
        case 18: self = .commit
        case 26: self = .release
        case 34: self = .refund
        case 42: self = .extend
        case 50: self = .charge
        default: return nil
        }
    }
}
