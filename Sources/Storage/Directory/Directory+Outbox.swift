import Ledger
import Locks

/// A note and its place among those that are owed: places rise with time, and while a process lives none is taken twice.
package struct OwedNote: Equatable, Sendable {
    package var place: Int64
    package var note: DirectoryNote
}

/// What the directory owes to books. A note is stored with the change that it tells of, so that a crash loses neither
/// without the other. It is to be brought to the book under its own id, which has its effect once however often that is
/// tried, and settled when the book has it.
extension Directory {
    /// The notes that are owed, the oldest first, from the first one behind a place on.
    ///
    /// - Parameter tenant: only those of this tenant; nil for all.
    package func outbox(
        of tenant: TenantID? = nil, after place: Int64 = 0, limit: Int = StorageLimits.maxOutboxPage
    ) throws(StorageError) -> [OwedNote] {
        // Nearly always nothing is owed, and that is known without the file.
        guard owedCount > 0 else { return [] }
        return try writing.locked { () throws(StorageError) in
            try file.outbox(of: tenant, after: place, limit: min(limit, StorageLimits.maxOutboxPage))
        }
    }

    /// How many notes are owed.
    package var owedCount: Int { contents.withLock { $0.owed.count } }

    /// The book has the note. One that was settled before, or is not known, is no error.
    package func settle(_ id: StepID) throws(StorageError) {
        try writing.locked { () throws(StorageError) in
            guard contents.withLock({ $0.owed.contains(id) }) else { return }
            try file.removeNote(id)
            _ = contents.withLock { $0.owed.remove(id) }
            // Where that is lost the note is brought once more, in vain: it need not leave the log at once.
            file.emptyLog(above: StorageLimits.checkpointBytes)
        }
    }

    func check(_ note: DirectoryNote) throws(StorageError) {
        guard note.body.count <= StorageLimits.maxNoteBytes else {
            throw .limit("a note is longer than \(StorageLimits.maxNoteBytes) bytes")
        }
        guard owedCount < StorageLimits.maxOwedNotes else {
            throw .limit("\(StorageLimits.maxOwedNotes) changes wait for their books to take them, no more are made")
        }
    }
}
