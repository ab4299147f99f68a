import CLinux
import Glibc
import Locks

/// Why a call failed.
struct Failure: Error {
    let errno: Int32
}

/// A call that could fail.
enum Call: UInt8 {
    case open, make, read, write, sync, size, allocate, truncate, lock
    case rename, remove, list, exists, makeDirectory, syncDirectory, syncAll, share

    /// It may find no room on the disk.
    var needsRoom: Bool {
        switch self {
        case .open, .read, .size, .lock, .list, .exists, .remove: false
        default: true
        }
    }
}

extension SimulatedDisk {
    /// What is to come of a call.
    enum Fate {
        case done
        /// Nothing of it is done.
        case refused(Int32)
        /// It fails, after a part of it was done where it has parts.
        case failed(Int32)
        /// The machine stops in the middle of it.
        case crashed
    }

    /// Counts the call and does it, as far as it comes to that.
    ///
    /// - Parameters:
    ///   - partly: What a call that fails or that a crash interrupts may still have done.
    ///   - body: The call itself; throws where the state of the disk forbids it.
    func perform<Result>(
        _ call: Call, _ path: String, at offset: Int = 0, _ bytes: UnsafeRawBufferPointer? = nil,
        by file: OpenFile? = nil, partly: (inout State, _ isCrash: Bool) -> Void = { _, _ in },
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        beforeCall?()
        return try lock.locked { () throws(Failure) in
            // Nobody hears what a process that ended still calls.
            if let file, file.isAbandoned { throw Failure(errno: EBADF) }
            do throws(Failure) {
                switch state.admit(call, path, offset, bytes) {
                case .done:
                    return try body(&state)
                case .refused(let errno):
                    throw Failure(errno: errno)
                case .failed(let errno):
                    partly(&state, false)
                    throw Failure(errno: errno)
                case .crashed:
                    partly(&state, true)
                    throw Failure(errno: EIO)
                }
            } catch {
                state.lastErrno = error.errno
                throw error
            }
        }
    }
}

extension SimulatedDisk.State {
    fileprivate mutating func admit(
        _ call: Call, _ path: String, _ offset: Int, _ bytes: UnsafeRawBufferPointer?
    ) -> SimulatedDisk.Fate {
        if isCrashed { return .refused(EIO) }
        calls += 1
        note(call, path, offset, bytes)
        trace?("\(calls): \(call) \(path) at \(offset), \(bytes?.count ?? 0) bytes, digest \(digest)")
        if let outage { return outage == ENOSPC && !call.needsRoom ? .done : .refused(outage) }
        guard let plan, plan.call == calls else { return .done }
        switch plan.fault {
        case .once(let errno):
            if errno == ENOSPC && !call.needsRoom { return .done }
            struck = "\(call) \(path) at \(offset)"
            return .failed(errno)
        case .forGood(let errno):
            struck = "\(call) \(path) at \(offset)"
            outage = errno
            return errno == ENOSPC && !call.needsRoom ? .done : .failed(errno)
        case .crash:
            struck = "\(call) \(path) at \(offset)"
            outage = EIO
            isCrashed = true
            return .crashed
        }
    }

    private mutating func note(_ call: Call, _ path: String, _ offset: Int, _ bytes: UnsafeRawBufferPointer?) {
        var sum = cl_crc32c(UInt32(call.rawValue), nil, 0)
        var path = path
        path.withUTF8 { sum = cl_crc32c(sum, $0.baseAddress, $0.count) }
        if let bytes { sum = cl_crc32c(sum, bytes.baseAddress, bytes.count) }
        // FNV-1a over words.
        for word in [UInt64(call.rawValue), UInt64(bitPattern: Int64(offset)), UInt64(sum)] {
            digest = (digest ^ word) &* 0x100_0000_01B3
        }
    }

    /// Bytes by which files may still grow.
    var room: Int {
        capacity.map { max(0, Int($0 - names.usedBytes)) } ?? .max
    }
}
