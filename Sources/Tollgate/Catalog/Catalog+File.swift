import Glibc

extension Catalog {
    /// The catalog that a JSON text describes.
    package init(parsing bytes: [UInt8]) throws(CatalogError) {
        guard bytes.count <= Limits.maxCatalogBytes else {
            throw .wrong("has more than \(Limits.maxCatalogBytes) bytes", line: 1)
        }
        let root: JSONNode
        do {
            root = try JSONParser.parse(bytes)
        } catch {
            throw .wrong("this is not JSON: \(error.reason)", line: error.line)
        }
        var reader = CatalogReader()
        let catalog = reader.catalog(root)
        guard reader.faults.isEmpty else {
            throw .invalid(faults: reader.faults.sorted { $0.line < $1.line }, hasMore: reader.hasMoreFaults)
        }
        self = catalog
    }

    /// The catalog of a file.
    package init(path: String) throws(CatalogError) {
        try self.init(parsing: Self.contents(of: path))
    }

    /// The bytes of a file, one more than allowed at most, so that a file that is too long shows.
    package static func contents(of path: String) throws(CatalogError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, errno: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= Limits.maxCatalogBytes {
            let count = read(descriptor, &chunk, chunk.count)
            if count == 0 { break }
            if count > 0 {
                bytes.append(contentsOf: chunk[..<count])
            } else if errno != EINTR {
                throw .unreadable(path: path, errno: errno)
            }
        }
        return bytes
    }
}

extension CatalogError {
    fileprivate static func wrong(_ reason: String, line: Int) -> CatalogError {
        .invalid(faults: [CatalogFault(line: line, path: "", reason: reason)], hasMore: false)
    }

    fileprivate static func unreadable(path: String, errno code: Int32) -> CatalogError {
        .unreadable(path: path, reason: String(cString: strerror(code)))
    }
}
