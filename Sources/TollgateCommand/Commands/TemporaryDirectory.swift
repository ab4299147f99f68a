import CLinux
import Foundation
import Glibc

/// A directory that is removed with all that is in it, also where a signal ends the process before.
struct TemporaryDirectory: Sendable {
    let path: String

    /// Makes it. With `removedOnSignals` SIGINT and SIGTERM are taken from here on; call it before any thread is started.
    init(removedOnSignals: Bool) throws(CommandError) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/tollgate.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw .failed(
                "no directory can be made in \(parent): \(String(cString: strerror(errno))); name another in TMPDIR")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if removedOnSignals { removeOnSignal() }
    }

    /// Removes it; what cannot be removed stays.
    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }

    private func removeOnSignal() {
        let signals = cl_signal_descriptor()
        guard signals >= 0 else { return }
        let thread = Thread {
            var ready = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            while poll(&ready, 1, -1) < 0 && errno == EINTR {}
            remove()
            _exit(1)
        }
        thread.name = "signals"
        thread.start()
    }
}
