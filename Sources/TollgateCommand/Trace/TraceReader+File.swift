import Glibc

extension TraceReader {
    /// Reads the first `rowLimit` calls of a file.
    static func rows(ofFile path: String, rowLimit: Int?) throws(TraceError) -> [TraceRow] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        // One row more than is allowed shows that there are too many.
        var reader = TraceReader(rowLimit: rowLimit ?? Limits.traceRows + 1)
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.traceChunkBytes, alignment: 1)
        defer { chunk.deallocate() }
        while !reader.isFull {
            let count = read(descriptor, chunk.baseAddress, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw .unreadable(path: path, reason: String(cString: strerror(errno)))
            }
            if count == 0 { break }
            try reader.feed(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
        }
        try reader.finish()
        guard reader.rows.count <= Limits.traceRows else {
            throw .unreadable(
                path: path,
                reason: "it has more than \(grouped(Limits.traceRows)) rows; take the first ones with --limit")
        }
        return reader.rows
    }

    /// Reads the calls of a text.
    static func rows(ofText text: String) throws(TraceError) -> [TraceRow] {
        var reader = TraceReader(rowLimit: Limits.traceRows)
        // `withUnsafeBytes` would forget the type of what is thrown.
        let result = Array(text.utf8).withUnsafeBytes { bytes in
            Result { () throws(TraceError) in try reader.feed(bytes) }
        }
        try result.get()
        try reader.finish()
        return reader.rows
    }
}
