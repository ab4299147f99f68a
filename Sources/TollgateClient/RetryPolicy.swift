import Protobuf
import RPC

/// When and how often a step is sent again, always under the same id.
///
/// Only UNAVAILABLE is tried again, which is also what a lost connection is reported as: every other status is an answer.
public struct RetryPolicy: Sendable, Hashable {
    /// How often a step is sent in all; 1 never tries again.
    public var maxAttempts: Int
    /// The wait before the second attempt, before jitter.
    public var initialBackoff: Duration
    /// What each further attempt multiplies the wait by.
    public var multiplier: Double
    /// The longest wait, before jitter. A wait that the server names (`RetryInfo`) may be longer.
    public var maxBackoff: Duration

    /// A policy; the default tries five times within about two seconds.
    public init(
        maxAttempts: Int = 5, initialBackoff: Duration = .milliseconds(100), multiplier: Double = 2,
        maxBackoff: Duration = .seconds(5)
    ) {
        precondition((1...Limits.attempts).contains(maxAttempts), "between 1 and \(Limits.attempts) attempts")
        precondition(initialBackoff > .zero && multiplier >= 1 && maxBackoff >= initialBackoff)
        self.maxAttempts = maxAttempts
        self.initialBackoff = initialBackoff
        self.multiplier = multiplier
        self.maxBackoff = maxBackoff
    }

    /// Sends each step once.
    public static var none: RetryPolicy { RetryPolicy(maxAttempts: 1) }
}

/// Follows the attempts of one step and says how long to wait before the next one, or that there is none.
struct RetrySequence {
    private let policy: RetryPolicy
    private var attempts = 0
    private var nextWait: Duration

    init(_ policy: RetryPolicy) {
        self.policy = policy
        nextWait = policy.initialBackoff
    }

    /// The wait after an attempt that ended in an error; nil where the error stands. `remaining` is the time left to the step's deadline.
    mutating func wait(
        after error: RPCError, remaining: Duration?, using random: inout some RandomNumberGenerator
    ) -> Duration? {
        attempts += 1
        guard error.code == .unavailable, attempts < policy.maxAttempts else { return nil }
        var wait = nextWait * Double.random(in: 0.8...1.2, using: &random)
        nextWait = min(nextWait * policy.multiplier, policy.maxBackoff)
        // The server knows better when it will be able to answer.
        if let asked = error.retryInfo?.retryDelay?.duration { wait = max(wait, asked) }
        if let remaining, wait >= remaining { return nil }
        return wait
    }
}
