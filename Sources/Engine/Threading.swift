import CLinux
import Glibc

/// A thread of the engine's own that runs one function to its end.
final class EngineThread: Sendable {
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private let handle: pthread_t

    /// - Parameter name: at most 15 bytes, as ps and perf show it.
    init(name: String, _ body: @escaping @Sendable () -> Void) {
        var handle = pthread_t()
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let status = pthread_create(
            &handle, nil,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                cl_thread_name(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        precondition(status == 0, "a thread of the engine can be started")
        self.handle = handle
    }

    func join() { pthread_join(handle, nil) }
}
