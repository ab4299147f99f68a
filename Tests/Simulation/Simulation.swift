import SimulatedDisk

/// The simulation of one seed, and what it met.
package struct SimulationReport: Sendable {
    package var seed: UInt64
    package var steps: Int
    package var lives: Int
    /// Of all calls of the disk, all journaled records and all answers.
    package var digest: UInt64
    package var counts: [String: Int]

    /// Runs one seed.
    /// - Parameters:
    ///   - trace: Hears what happens, for looking into a failure.
    ///   - tracedPath: It also hears of each call of the disk about files that have this in their path.
    package static func run(
        seed: UInt64, steps: Int, trace: (@Sendable (String) -> Void)? = nil, tracedPath: String? = nil
    ) throws(SimulationFailure) -> SimulationReport {
        let world = World(seed: seed)
        world.trace = trace
        if let path = tracedPath { world.disk.trace { if $0.contains(path) { trace?($0) } } }
        try world.run(steps: steps)
        return SimulationReport(
            seed: seed, steps: world.steps, lives: world.life, digest: world.digest.value, counts: world.counts)
    }
}
