#if canImport(Glibc)
    import Glibc
#endif

extension FileSystem {
    /// The directory and those above it that are missing. Until it is whole nobody knows whether one that is there was made
    /// to last: an earlier attempt may have ended before that.
    ///
    /// - Parameter mark: The file that says by being there that the directory is whole.
    func makePath(_ path: String, wholeWith mark: String? = nil) throws(StorageError) {
        let isWhole = if let mark { try exists(mark) } else { false }
        var made = path.hasPrefix("/") ? "/" : ""
        for component in path.split(separator: "/") {
            made += component
            let isThere = try exists(made)
            if !isThere { try makeDirectory(made) }
            do throws(StorageError) {
                if !isWhole { try syncDirectory(made + "/..") }
            } catch {
                // Somebody else's directory, which this user may pass through and not read.
                guard isThere, case .system(_, _, EACCES) = error else { throw error }
            }
            made += "/"
        }
    }
}
