/// How long to wait between attempts to connect, as gRPC's connection backoff describes it (WIRE.md, gRPC 13).
public struct BackoffPolicy: Sendable, Hashable {
    /// The wait after the first failure.
    public var initial: Duration
    /// What each further failure multiplies the wait by.
    public var multiplier: Double
    /// The longest wait, before jitter.
    public var maximum: Duration
    /// How far a wait is moved at random, as a part of it: 0.2 is ± 20 %.
    public var jitter: Double

    /// A policy; the defaults are those of gRPC.
    public init(
        initial: Duration = .seconds(1), multiplier: Double = 1.6, maximum: Duration = .seconds(120),
        jitter: Double = 0.2
    ) {
        precondition(initial > .zero && multiplier >= 1 && maximum >= initial && (0..<1).contains(jitter))
        self.initial = initial
        self.multiplier = multiplier
        self.maximum = maximum
        self.jitter = jitter
    }
}

/// The waits of one series of failures. A success begins a new series.
struct Backoff {
    private let policy: BackoffPolicy
    /// The next wait before jitter; grows up to the policy's maximum.
    private var next: Duration

    init(_ policy: BackoffPolicy) {
        self.policy = policy
        next = policy.initial
    }

    /// The wait after one more failure.
    mutating func failed(using generator: inout some RandomNumberGenerator) -> Duration {
        let wait = next * Double.random(in: (1 - policy.jitter)...(1 + policy.jitter), using: &generator)
        next = min(next * policy.multiplier, policy.maximum)
        return wait
    }

    /// Starts anew, as after a connection that came to be.
    mutating func succeeded() { next = policy.initial }
}
