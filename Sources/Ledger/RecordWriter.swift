/// A record of entries that come one after the other: each is encoded when it comes, and need not be kept.
package struct RecordWriter: Sendable {
    /// How many entries it has.
    package private(set) var count = 0
    private var entries: [UInt8] = []

    package init() {}

    package mutating func add(_ more: Few<Entry>) {
        if more.isEmpty { return }
        count += more.count
        ByteWriter.append(to: &entries) { bytes in
            more.forEach { EntryCodec.append($0, to: &bytes) }
        }
    }

    /// Appends the record: what `EntryCodec.encodeRecord` makes of all the entries.
    package borrowing func write(into bytes: inout [UInt8]) {
        ByteWriter.append(to: &bytes) { [count] bytes in EntryCodec.beginRecord(of: count, &bytes) }
        bytes.append(contentsOf: entries)
    }

    /// Begins anew, and keeps the room that it had where that is no more than so many bytes.
    package mutating func removeAll(keepingAtMost byteCount: Int) {
        count = 0
        entries.removeAll(keepingCapacity: entries.capacity <= byteCount)
    }
}
