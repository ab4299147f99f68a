import CLinux
import Glibc

/// Measures what a durable write costs at the least: overwriting a file that was allocated and written once before, in place, and
/// `fdatasync`. The journal does the same past the page cache.
package struct SyncProbe {
    package struct Report: Sendable {
        package let byteCount: Int
        package let measuredNs: Int64
        /// Of one write with its sync.
        package let latencies: LatencyHistogram
    }

    /// What the disk, or the directory, refused.
    package struct Failure: Error, Equatable {
        package let call: String
        package let errno: Int32
    }

    private let descriptor: Int32
    private let byteCount: Int
    private let block: UnsafeMutableRawPointer

    /// Measures for so many seconds in a file of its own, which is gone in the end.
    package static func run(directory: String, byteCount: Int, seconds: Int) throws(Failure) -> Report {
        let path = directory + "/tollgate-bench-sync.\(getpid())"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure(call: "open", errno: errno) }
        defer { close(descriptor) }
        // Nobody finds the file from here on, also where the process is ended.
        unlink(path)
        let probe = SyncProbe(descriptor: descriptor, byteCount: byteCount)
        defer { probe.block.deallocate() }
        try probe.fill()
        return try probe.measure(seconds: seconds)
    }

    private init(descriptor: Int32, byteCount: Int) {
        self.descriptor = descriptor
        self.byteCount = byteCount
        block = .allocate(byteCount: byteCount, alignment: 4_096)
        memset(block, 0x5A, byteCount)
    }

    /// Writes the whole file once, so that a later write changes nothing but its bytes.
    private func fill() throws(Failure) {
        for offset in offsets { try write(at: offset) }
        guard fsync(descriptor) == 0 else { throw Failure(call: "fsync", errno: errno) }
    }

    private func measure(seconds: Int) throws(Failure) -> Report {
        var latencies = LatencyHistogram()
        let startNs = monotonicNs()
        let endNs = startNs + Int64(seconds) * 1_000_000_000
        var nowNs = startNs
        while true {
            for offset in offsets {
                // Other bytes each time, so that no layer can leave the write out.
                block.storeBytes(of: nowNs, as: Int64.self)
                try write(at: offset)
                guard fdatasync(descriptor) == 0 else { throw Failure(call: "fdatasync", errno: errno) }
                let beforeNs = nowNs
                nowNs = monotonicNs()
                latencies.record(nowNs - beforeNs)
                if nowNs >= endNs {
                    return Report(byteCount: byteCount, measuredNs: nowNs - startNs, latencies: latencies)
                }
            }
        }
    }

    private var offsets: StrideTo<Int> { stride(from: 0, to: max(Limits.syncFileBytes, byteCount), by: byteCount) }

    private func write(at offset: Int) throws(Failure) {
        var written = 0
        while written < byteCount {
            let count = pwrite(descriptor, block + written, byteCount - written, offset + written)
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(call: "pwrite", errno: errno)
            }
            written += count
        }
    }
}
