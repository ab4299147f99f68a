#if canImport(Glibc)
    import Glibc
#endif

/// Does one thing on a disk again and again, each time with a fault at another call, from its first to its last, for every
/// kind of fault: the anomaly tests of SQLite's authors, for what stands on this disk.
package struct Anomalies: Sendable {
    /// What strikes at the n-th call, and what becomes of machine and process.
    package enum Kind: CaseIterable, Sendable {
        /// That call alone fails; the process goes on, and later ends, or the power goes.
        case failsOnce, findsNoRoomOnce
        /// Every call fails from then on; then the process ends and somebody mends the disk.
        case failsForGood, findsNoRoomForGood
        /// The process is killed in the middle of the call.
        case isKilled
        /// The power goes in the middle of the call, and takes of what was not synced all, nothing, or some.
        case losesAll, losesNothing, losesSome

        fileprivate var fault: SimulatedDisk.Fault {
            switch self {
            case .failsOnce: .once(errno: EIO)
            case .findsNoRoomOnce: .once(errno: ENOSPC)
            case .failsForGood: .forGood(errno: EIO)
            case .findsNoRoomForGood: .forGood(errno: ENOSPC)
            case .isKilled, .losesAll, .losesNothing, .losesSome: .crash
            }
        }

        /// The disk does all that is asked after that call.
        package var isOnce: Bool { self == .failsOnce || self == .findsNoRoomOnce }
        package var isCrash: Bool { fault == .crash }

        /// The process is over.
        fileprivate func end(_ disk: SimulatedDisk, _ call: Int) {
            switch self {
            case .failsOnce, .findsNoRoomOnce: call % 2 == 0 ? disk.losePower(.all) : disk.endProcess()
            case .failsForGood, .findsNoRoomForGood: call % 2 == 0 ? disk.losePower(.some) : disk.endProcess()
            case .isKilled: disk.endProcess()
            case .losesAll: disk.losePower(.all)
            case .losesNothing: disk.losePower(.nothing)
            case .losesSome: disk.losePower(.some)
            }
        }
    }

    /// One fault.
    package struct Point: CustomStringConvertible, Sendable {
        package let kind: Kind
        package let seed: UInt64
        /// The call at which it struck, from 1.
        package let call: Int
        package let struck: String
        /// Files that were still open when all had been let go of.
        package let leaks: [String]

        package var description: String { "\(kind) at call \(call) of seed \(seed): \(struck); left open: \(leaks)" }
    }

    /// What is done, in the words in which the proofs' extent is told at the end.
    let name: String
    /// The disk that each run begins with.
    let base: SimulatedDisk
    let seed: UInt64
    let kinds: [Kind]

    /// - Parameter base: is copied for each run.
    package init(of name: String, on base: SimulatedDisk, seed: UInt64 = 1, kinds: [Kind] = Kind.allCases) {
        self.name = name
        self.base = base
        self.seed = seed
        self.kinds = kinds
    }

    /// - Parameters:
    ///   - scenario: does the thing, does not throw for a fault, and closes all that it opened; returns what it was promised.
    ///   - check: looks at the disk as the next process finds it.
    /// - Returns: how many faults struck.
    package func run<Outcome>(
        _ scenario: (SimulatedDisk) throws -> Outcome, check: (SimulatedDisk, Outcome, Point) throws -> Void
    ) rethrows -> Int {
        var points = 0
        for kind in kinds {
            var call = 0
            var isOver = false
            while !isOver {
                call += 1
                let disk = base.copy(seed: seed &+ UInt64(call))
                disk.fail(atCall: call, kind.fault)
                let outcome = try scenario(disk)
                isOver = !disk.isPlanOver
                guard let struck = disk.struckCall else { continue }
                points += 1
                let point = Point(kind: kind, seed: seed, call: call, struck: struck, leaks: disk.openFiles)
                kind.end(disk, call)
                try check(disk, outcome, point)
            }
        }
        print("covered: fault points: \(name): \(points)")
        return points
    }
}
