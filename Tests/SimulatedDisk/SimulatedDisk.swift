import Locks
import SeededRandom
import Storage

#if canImport(Glibc)
    import Glibc
#endif

/// A disk in memory that does what real ones do on bad days: it fails, it is full, it loses power, and it rots.
///
/// Everything of the product stands on it: the journal and the directories through `FileSystem`, the books through the SQLite
/// VFS that `sqliteVFS` names. Nothing is random but what comes from the seed, so that one thread that does the same things
/// on a disk of the same seed sees the same disk, to the last byte (`digest` shows it).
///
/// What a power cut leaves of what was not synced (`Loss`):
/// - of a file, each sector of 512 bytes by itself: as it was when it was last synced, as any later write left it, or torn, its
///   first bytes new and the rest old. So writes are reordered, lost and torn, but bytes that nobody wrote keep what they had.
///   The file's length is the synced one or the newest.
/// - of names (created, renamed, removed), each change by itself, until their directory is synced. A rename is whole or not at all.
///
/// A sync that fails may drop what it was to write: reads go on to show it, later syncs succeed, and the disk never has it.
///
/// How to break it: `fail(atCall:_:)` plans a fault at the n-th call that could fail from now on, `capacity` makes it full,
/// `flipBit(in:)` damages a file at rest. How to begin anew after a crash: let go of everything that was open, then
/// `losePower`, or `endProcess` where only the process ended and the machine went on.
///
/// ```
/// let disk = SimulatedDisk(seed: 7)
/// let data = try DataDirectory(path: "/data", create: true, fileSystem: disk)
/// disk.fail(atCall: 12, .crash)
/// …                                   // every call from the 12th on fails
/// disk.losePower(.some)
/// …                                   // opens again what the crash left
/// ```
///
/// `@unchecked Sendable`: everything mutable is guarded by `lock`, but for `beforeCall`, which is set before the disk is used.
package final class SimulatedDisk: FileSystem, @unchecked Sendable {
    /// What happens at the call for which a fault is planned.
    package enum Fault: Equatable, Sendable {
        /// This one call fails; a write may be done in part. Without effect at a call that cannot fail so: a read needs no room.
        case once(errno: Int32)
        /// This call and all later ones fail, as on a disk that died, until `repair`. With ENOSPC those that need room.
        case forGood(errno: Int32)
        /// The machine stops in the middle of the call: every later call fails and nothing changes until `losePower` or `endProcess`.
        case crash
    }

    /// What a power cut takes of what was not synced.
    package enum Loss: CaseIterable, Sendable {
        case all
        case nothing
        case some
    }

    /// Runs without the disk's lock before every call that could fail, on the thread that makes the call.
    package var beforeCall: (@Sendable () -> Void)?

    let lock = Lock()
    var state: State
    private var rawVFS: RegisteredVFS!
    private var vfs: CheckedVFS!

    /// - Parameter directories: are there from the start, and durable.
    package init(seed: UInt64 = 1, directories: [String] = []) {
        state = State(seed: seed)
        for path in directories { state.names.makeDirectory(path) }
        state.names.syncAll()
        rawVFS = RegisteredVFS(of: self)
        // The transactions of a simulation are small: in such pieces theirs are synced midway, too.
        vfs = CheckedVFS(name: rawVFS.name + "-checked", over: rawVFS.name, pieceBytes: Self.syncedPieceBytes)
    }

    /// A disk with the same bytes, durable and not, of which nothing is open; what it does at random follows from `seed`.
    package func copy(seed: UInt64) -> SimulatedDisk {
        let copy = SimulatedDisk(seed: seed)
        lock.locked { copy.state.names = state.names.copy() }
        return copy
    }

    package static let syncedPieceBytes = 16 << 10

    package var sqliteVFS: String? { vfs.name }

    // MARK: - Faults

    /// Plans a fault at the n-th call that could fail from now on, 1 for the next one. There is one plan at a time.
    package func fail(atCall number: Int, _ fault: Fault) {
        lock.locked {
            state.plan = Plan(call: state.calls + number, fault: fault)
            state.struck = nil
        }
    }

    package func crash(atCall number: Int) { fail(atCall: number, .crash) }

    /// The planned fault has struck.
    package var hasFailed: Bool { lock.locked { state.struck != nil } }

    /// Which call the fault struck, for messages; nil where none did.
    package var struckCall: String? { lock.locked { state.struck } }

    /// The call for which the fault was planned has come, whether or not it could fail so.
    package var isPlanOver: Bool { lock.locked { state.plan.map { state.calls >= $0.call } ?? true } }

    /// No call succeeds any more, until `repair`, `losePower` or `endProcess`.
    package var isDown: Bool { lock.locked { state.outage != nil } }

    /// Ends a fault for good, and what is planned. The files stay open.
    package func repair() {
        lock.locked { state.repair() }
    }

    /// Ends the process: its files are closed and its locks let go of. What it wrote and did not sync is the kernel's.
    package func endProcess() {
        lock.locked {
            state.repair()
            state.closeAll()
        }
    }

    /// Cuts the power: the process ends, and of what was not synced is lost what `loss` says.
    package func losePower(_ loss: Loss) {
        lock.locked {
            state.repair()
            state.closeAll()
            state.lose(loss)
        }
    }

    /// Bytes that all files together may have; nil for no bound. A write beyond it is done as far as there is room.
    package var capacity: Int64? {
        get { lock.locked { state.capacity } }
        set { lock.locked { state.capacity = newValue } }
    }

    package var usedBytes: Int64 { lock.locked { state.names.usedBytes } }

    // MARK: - Looking

    /// Calls so far that could fail.
    package var calls: Int { lock.locked { state.calls } }

    /// Of all calls so far: what, on which file, where, and what was written.
    package var digest: UInt64 { lock.locked { state.digest } }

    /// Hears of each call, to see where two runs part. Must not use the disk.
    package func trace(_ hear: (@Sendable (String) -> Void)?) { lock.locked { state.trace = hear } }

    /// All files, sorted.
    package var files: [String] { lock.locked { state.names.files.keys.sorted() } }

    /// The files that are open, sorted; one that is open twice comes twice.
    package var openFiles: [String] { lock.locked { state.open.values.map(\.path).sorted() } }

    /// A power cut takes nothing of the file's bytes back, nor brings any that it had.
    package func isDurable(_ path: String) -> Bool { lock.locked { state.names.files[path]?.isDurable ?? true } }

    /// The bytes of a file as a reader sees them.
    package func bytes(_ path: String) -> [UInt8]? { lock.locked { state.names.files[path]?.bytes } }

    // MARK: - Rot

    /// Puts these bytes into the place of a file's, durably, behind everybody's back; the file is made where it is not there.
    package func overwrite(_ path: String, _ bytes: [UInt8]) {
        lock.locked { state.names.overwrite(path, bytes) }
    }

    /// Takes the file away, durably, behind everybody's back.
    package func erase(_ path: String) {
        lock.locked { state.names.erase(path) }
    }

    /// Turns one bit of a file over that no write is under way to; the lowest bit of byte 0 is bit 0. False where there is none.
    @discardableResult
    package func flip(_ path: String, bit: Int) -> Bool {
        lock.locked { state.names.files[path]?.flip(bit: bit) ?? false }
    }

    /// Turns a random bit over.
    /// - Returns: which; nil where the file has no bytes at rest.
    package func flipBit(in path: String) -> Int? {
        lock.locked {
            guard let node = state.names.files[path], !node.bytes.isEmpty else { return nil }
            for _ in 0..<64 {
                let bit = Int.random(in: 0..<node.bytes.count * 8, using: &state.random)
                if node.flip(bit: bit) { return bit }
            }
            return nil
        }
    }
}

extension SimulatedDisk {
    struct Plan {
        /// Counted from the disk's first call.
        let call: Int
        let fault: Fault
    }

    struct State {
        var random: SeededRandom
        var names = Names()
        var open: [ObjectIdentifier: OpenFile] = [:]
        var capacity: Int64?
        var calls = 0
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325
        var plan: Plan?
        var struck: String?
        /// What every call fails with.
        var outage: Int32?
        var isCrashed = false
        var trace: ((String) -> Void)?
        /// Of the last failure, for SQLite.
        var lastErrno: Int32 = 0

        init(seed: UInt64) {
            random = SeededRandom(seed: seed)
        }

        mutating func repair() {
            plan = nil
            struck = nil
            outage = nil
            isCrashed = false
        }

        mutating func lose(_ loss: Loss) { names.lose(loss, &random) }

        mutating func closeAll() {
            for file in open.values { file.abandon() }
            open = [:]
        }
    }
}
