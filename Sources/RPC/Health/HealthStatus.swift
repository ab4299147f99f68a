import Locks

/// Whether the server and each of its services can answer, and why not. Set from any thread.
///
/// The empty name is the whole server. While the server drains, nothing serves any more, whatever is set.
package final class HealthStatus: Sendable {
    /// What is known of one service.
    package struct Status: Sendable, Hashable {
        /// Whether it answers.
        package var isServing: Bool
        /// Why it does not, for people; empty where it does.
        package var reason: String
    }

    /// What a watcher sees: each change, nil while its service is not known.
    struct Watch: Sendable {
        /// The status now and the last of the changes since it was asked.
        let updates: AsyncStream<Status?>
        fileprivate let continuation: AsyncStream<Status?>.Continuation

        /// Ends the updates.
        func end() { continuation.finish() }
    }

    private struct State {
        var services: [String: Status] = ["": Status(isServing: true, reason: "")]
        var watchers: [Int: (service: String, continuation: AsyncStream<Status?>.Continuation)] = [:]
        var nextWatcher = 0
        var isDraining = false
    }

    private let state = Protected(State())

    /// A server that serves, without any services yet.
    package init() {}

    /// Says how a service is; watchers hear of it where it changed.
    package func set(_ service: String, serving isServing: Bool, reason: String = "") {
        state.withLock { state in
            guard !state.isDraining else { return }
            HealthStatus.set(service, Status(isServing: isServing, reason: isServing ? "" : reason), in: &state)
        }
    }

    /// From now on nothing serves.
    package func drain() {
        state.withLock { state in
            state.isDraining = true
            for service in state.services.keys {
                HealthStatus.set(service, Status(isServing: false, reason: "shutting down"), in: &state)
            }
        }
    }

    /// How a service is; nil where it is not known.
    package func status(of service: String = "") -> Status? { state.withLock { $0.services[service] } }

    /// The services that are known, the whole server among them, by name.
    package var services: [(name: String, status: Status)] {
        state.withLock { state in state.services.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }

    /// How a service is now, and each change from then on; of several changes at once only the last may be seen. Nil
    /// where too many watch already.
    func watch(_ service: String) -> Watch? {
        let (updates, continuation) = AsyncStream<Status?>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let watcher = state.withLock { state -> Int? in
            guard state.watchers.count < Limits.healthWatchers else { return nil }
            let watcher = state.nextWatcher
            state.nextWatcher += 1
            state.watchers[watcher] = (service, continuation)
            continuation.yield(state.services[service])
            return watcher
        }
        guard let watcher else { return nil }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.watchers.removeValue(forKey: watcher) }
        }
        return Watch(updates: updates, continuation: continuation)
    }

    /// Keeps a status and tells the service's watchers.
    private static func set(_ service: String, _ status: Status, in state: inout State) {
        guard state.services.updateValue(status, forKey: service) != status else { return }
        for watcher in state.watchers.values where watcher.service == service { watcher.continuation.yield(status) }
    }
}
