import CSQLiteFiles

/// An SQLite VFS that lets no page of a database pass that is not as it was written, registered for as long as this object
/// lives; see `CSQLiteFiles.h`. The files themselves are another VFS's.
///
/// `@unchecked Sendable`: it never changes between `init` and `deinit`.
package final class CheckedVFS: @unchecked Sendable {
    package let name: String
    private let vfs: UnsafeMutableRawPointer
    private let names: [UnsafeMutablePointer<CChar>]

    /// Over SQLite's own, for the machine's disks.
    static let local = CheckedVFS(name: "tollgate")

    /// - Parameters:
    ///   - base: the VFS that has the files, which must live longer; nil for SQLite's own.
    ///   - pieceBytes: after which what is written to a file is synced.
    package init(name: String, over base: String? = nil, pieceBytes: Int = StorageLimits.syncedPieceBytes) {
        // Before the first use of SQLite in the process, which the registration is.
        _ = Database.isConfigured
        self.name = name
        let names = ([name] + (base.map { [$0] } ?? [])).map { text in
            let characters = Array(text.utf8CString)
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: characters.count)
            copy.initialize(from: characters, count: characters.count)
            return copy
        }
        self.names = names
        guard let vfs = sqlite_files_register(names[0], base == nil ? nil : names[1], Int32(pieceBytes)) else {
            preconditionFailure("a VFS can be registered over \(base ?? "SQLite's own")")
        }
        self.vfs = vfs
    }

    deinit {
        sqlite_files_unregister(vfs)
        for name in names { name.deallocate() }
    }

    /// Bytes at the end of each page that a database keeps free for the checksum.
    static let reservedBytes = Int32(PAGE_CHECKS_RESERVED_BYTES)

    /// The image of a database file with its checksums.
    static func stamped(_ image: [UInt8]) -> [UInt8] {
        var image = image
        image.withUnsafeMutableBytes { page_checks_stamp($0.baseAddress, $0.count) }
        return image
    }
}
