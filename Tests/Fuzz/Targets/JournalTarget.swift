import SimulatedDisk
import Storage

extension FuzzTarget {
    /// The journal's files as a disk may give them back. An even first byte: a journal that was written, then damaged as the
    /// rest says. An odd one: segments made of the rest, whose checksums hold.
    static let journal = FuzzTarget(name: "journal", seeds: { JournalSeeds.all }) { bytes in
        var input = FuzzInput(bytes)
        if input.byte() & 1 == 0 {
            try checkDamage(&input)
        } else {
            try checkForged(&input)
        }
    }

    /// Nothing comes back that was not written, all comes back that lies before the first damage, and what is refused is
    /// refused by the name of a file.
    private static func checkDamage(_ input: inout FuzzInput) throws {
        var written = try WrittenJournal(&input)
        let disk = written.disk
        let intact = written.damage(&input)
        let glance = try? JournalGlance(directory: WrittenJournal.directory, fileSystem: disk).records(beyond: [:])
        guard let journal = try reopen(disk) else {
            try hold(written.isDamaged, "a journal that nobody touched is refused")
            return
        }
        let found = try journal.everything()
        var position = journal.firstPosition
        for record in found {
            try hold(record.position == position, "after position \(position - 1) comes \(record.position)")
            try hold(written.records[record.position] == record, "position \(position) was never written so")
            position += 1
        }
        try hold(position == journal.durablePosition + 1, "the durable position is another than the last record's")
        for lost in intact where lost >= journal.firstPosition {
            try hold(lost < position, "position \(lost) is lost, though nothing before it was damaged")
        }
        let counts = Dictionary(found.map { ($0.tenant, UInt64(1)) }, uniquingKeysWith: +)
        try hold(glance == counts, "a glance sees \(String(describing: glance)), recovery \(counts)")
        // It can be written on, and what is then there comes back again.
        var batch = JournalBatch(first: journal.durablePosition + 1)
        batch.add(tenant: WrittenJournal.tenant(0)) { $0.append(7) }
        try journal.append(batch)
        journal.close()
        guard let again = try reopen(disk) else { throw broken("after one more batch the journal is refused") }
        try hold(try again.everything().count == found.count + 1, "after one more batch there are others")
    }

    /// No number that a segment may name leads to a trap, and what opens is counted without a gap.
    private static func checkForged(_ input: inout FuzzInput) throws {
        let disk = SimulatedDisk(directories: [WrittenJournal.directory])
        for _ in 0..<min(Int(input.byte()) % 4 + 1, 4) where !input.isEmpty {
            let segment = ForgedSegment(&input)
            disk.overwrite(WrittenJournal.directory + "/" + segment.name, segment.bytes)
        }
        _ = try? JournalGlance(directory: WrittenJournal.directory, fileSystem: disk).records(beyond: [:])
        guard let journal = try reopen(disk) else { return }
        var last: UInt64?
        do {
            try journal.replay(after: 0) { position, _, _ in
                if let last { precondition(position == last + 1, "a gap behind \(last)") }
                last = position
            }
        } catch {
            // A payload whose checksum holds and that is not made of records.
            try checkRefusal(error, disk)
        }
        journal.close()
    }

    /// The journal as the next start finds it; nil where it is refused, as it should be.
    private static func reopen(_ disk: SimulatedDisk) throws -> LocalJournal? {
        do throws(StorageError) {
            return try WrittenJournal.open(disk)
        } catch {
            try checkRefusal(error, disk)
            return nil
        }
    }

    private static func checkRefusal(_ error: StorageError, _ disk: SimulatedDisk) throws {
        guard case .corrupt(let path, _) = error else { throw broken("\(error) is no word for damage") }
        try hold(disk.bytes(path) != nil, "\(path), which is said to be damaged, is no file")
    }
}

/// A record as it comes back.
struct JournalRecord: Equatable {
    var position: UInt64
    var tenant: TenantID
    var bytes: [UInt8]
}

extension LocalJournal {
    func everything() throws(StorageError) -> [JournalRecord] {
        var records: [JournalRecord] = []
        try replay(after: 0) { position, tenant, record in
            records.append(JournalRecord(position: position, tenant: tenant, bytes: Array(record)))
        }
        return records
    }
}
