import CLinux
import Locks
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Who prepares the journal's spare files.
package enum SparePreparation: Sendable {
    /// Nobody: everything stays on the calling threads.
    case never
    /// A thread of the journal's own.
    case inBackground
    /// Whoever calls `LocalJournal.prepareSpare`, as the thread would do it.
    case byHand
}

/// Keeps one file of a segment's size ready, filled and synced, so that beginning a segment costs no allocation and syncing
/// into it no change of metadata (90 µs against 140). Old segments are used again where there are any.
///
/// `@unchecked Sendable`: `thread` is touched by the appending thread and by `close`, which its owner keeps apart.
final class SparePreparer: @unchecked Sendable {
    private enum State {
        case none
        /// Somebody is to come and prepare one.
        case wanted
        case underWay
        case ready(any File)
    }

    static let name = "next" + Segment.spareSuffix

    let path: String
    private let directory: String
    private let fileSystem: any FileSystem
    private let segmentBytes: Int64
    private let preparation: SparePreparation
    private let state = Protected(State.none)
    private let isClosing = Atomic(false)
    private var thread: pthread_t?

    init(directory: String, fileSystem: any FileSystem, segmentBytes: Int64, preparation: SparePreparation) {
        path = directory + "/" + Self.name
        self.directory = directory
        self.fileSystem = fileSystem
        self.segmentBytes = segmentBytes
        self.preparation = preparation
    }

    /// The spare, which now is the caller's, and so is its name until `release`; nil while there is none.
    func take() -> (any File)? {
        state.withLock { state in
            guard case .ready(let file) = state else { return nil }
            state = .underWay
            return file
        }
    }

    /// The spare that was taken has another name by now, or is of no use: another one may take its name. Before, a segment
    /// that is trimmed at this moment would be put in its place, and then pass for the one that was begun.
    func release() {
        state.withLock { $0 = .none }
    }

    /// Has a spare prepared unless there is one.
    func prepare() {
        switch preparation {
        case .never: break
        case .byHand: if claim() { state.withLock { $0 = .wanted } }
        case .inBackground: if claim() { fillInBackground() }
        }
    }

    /// Prepares the spare that is wanted; false where none is.
    func prepareWanted() -> Bool {
        let isWanted = state.withLock { state in
            guard case .wanted = state else { return false }
            state = .underWay
            return true
        }
        if isWanted { fill() }
        return isWanted
    }

    private func fillInBackground() {
        join()
        let preparer = Unmanaged.passRetained(self)
        var handle = pthread_t()
        let status = pthread_create(
            &handle, nil,
            { argument in
                cl_thread_name("journal-spare")
                Unmanaged<SparePreparer>.fromOpaque(argument!).takeRetainedValue().fill()
                return nil
            }, preparer.toOpaque())
        if status == 0 {
            thread = handle
        } else {
            preparer.release()
            state.withLock { $0 = .none }
        }
    }

    /// Makes a trimmed segment the spare; false where there is one already or the file has another size.
    func recycle(_ segment: Segment) throws(StorageError) -> Bool {
        guard segment.fileBytes == segmentBytes, claim() else { return false }
        do throws(StorageError) {
            let file = try fileSystem.open(segment.path, .existing)
            try fileSystem.rename(segment.path, to: path)
            state.withLock { $0 = .ready(file) }
            return true
        } catch {
            state.withLock { $0 = .none }
            throw error
        }
    }

    /// Ends the preparation that is under way.
    func close() {
        isClosing.store(true, ordering: .relaxed)
        join()
        if let file = take() { file.close() }
    }

    private func claim() -> Bool {
        state.withLock { state in
            guard case .none = state else { return false }
            state = .underWay
            return true
        }
    }

    private func join() {
        if let thread { pthread_join(thread, nil) }
        thread = nil
    }

    private func fill() {
        do throws(StorageError) {
            let file = try fileSystem.open(path, .create)
            let isWhole = try file.fill(segmentBytes) { isClosing.load(ordering: .relaxed) }
            state.withLock { $0 = isWhole ? .ready(file) : .none }
        } catch {
            // The segment that needs the room will say so when its turn comes.
            fileSystem.discard(path)
            state.withLock { $0 = .none }
        }
    }
}

extension File {
    /// Allocates `length` bytes and writes zeros into them, a chunk and a sync at a time so that other files' syncs do not wait
    /// for the whole; false where it was told to stop.
    func fill(_ length: Int64, shouldStop: () -> Bool = { false }) throws(StorageError) -> Bool {
        try allocate(length)
        let zeros = [UInt8](repeating: 0, count: Int(min(length, Int64(StorageLimits.preparationChunkBytes))))
        var offset: Int64 = 0
        while offset < length {
            if shouldStop() { return false }
            let count = min(Int64(zeros.count), length - offset)
            try zeros.readable { (bytes) throws(StorageError) in
                let none = UnsafeRawBufferPointer(start: nil, count: 0)
                try append(UnsafeRawBufferPointer(rebasing: bytes[..<Int(count)]), none, at: offset)
            }
            offset += count
        }
        return true
    }
}
