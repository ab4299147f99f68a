import Glibc
import Storage

extension SimulatedDisk {
    /// As the kernel sees a path: without empty parts and dots.
    static func normal(_ path: String) -> String {
        guard path.contains("//") || path.contains("/.") || path.hasSuffix("/") else { return path }
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// Opens a file; a nil path is that of a file without a name, which goes when it is closed.
    func openFile(
        _ path: String?, isReadOnly: Bool, makes: Bool, isNew: Bool = false, empties: Bool = false
    ) throws(Failure) -> (file: OpenFile, isMade: Bool) {
        let path = path.map(Self.normal)
        return try perform(makes ? .make : .open, path ?? "(temporary)") { state, isCrash in
            if isCrash, makes, let path, state.names.files[path] == nil, Bool.random(using: &state.random) {
                state.names.link(path, Node())
            }
        } _: { (state) throws(Failure) in
            let known = path.flatMap { state.names.files[$0] }
            if known != nil, isNew { throw Failure(errno: EEXIST) }
            let node = known ?? Node()
            if known == nil, let path {
                guard makes, state.names.directories.contains(Names.parent(of: path)) else {
                    throw Failure(errno: ENOENT)
                }
                if state.names.directories.contains(path) { throw Failure(errno: EISDIR) }
                state.names.link(path, node)
            }
            if empties { node.truncate(to: 0) }
            let file = OpenFile(node, path: path ?? "(temporary)", isReadOnly: isReadOnly, on: self)
            state.open[ObjectIdentifier(file)] = file
            return (file, known == nil)
        }
    }

    func synchronizeDirectory(_ path: String) throws(Failure) {
        try perform(.syncDirectory, path) { state, isCrash in
            if isCrash, Bool.random(using: &state.random) { state.names.sync(path) }
        } _: { (state) throws(Failure) in
            guard state.names.directories.contains(path) else { throw Failure(errno: ENOENT) }
            state.names.sync(path)
        }
    }

    func unlink(_ path: String) throws(Failure) {
        try perform(.remove, path) { state, isCrash in
            if isCrash, Bool.random(using: &state.random) { state.names.unlink(path) }
        } _: { (state) throws(Failure) in
            guard state.names.files[path] != nil else { throw Failure(errno: ENOENT) }
            state.names.unlink(path)
        }
    }

    func lookFor(_ path: String) throws(Failure) -> (isThere: Bool, isEmpty: Bool) {
        try perform(.exists, path) { state in
            if let node = state.names.files[path] { return (true, node.bytes.isEmpty) }
            return (state.names.directories.contains(path), false)
        }
    }

    private func check<Result>(
        _ operation: String, _ path: String, _ body: (_ path: String) throws(Failure) -> Result
    ) throws(StorageError) -> Result {
        do throws(Failure) {
            return try body(Self.normal(path))
        } catch {
            throw .system(operation: operation, path: path, errno: error.errno)
        }
    }

    // MARK: - FileSystem

    package func open(_ path: String, _ mode: FileMode) throws(StorageError) -> any File {
        try check("open", path) { (path) throws(Failure) in
            let makes = mode == .create || mode == .openOrCreate
            let (file, _) = try openFile(
                path, isReadOnly: mode == .readOnly, makes: makes, empties: mode == .create)
            return SimulatedFile(file)
        }
    }

    package func rename(_ path: String, to target: String) throws(StorageError) {
        try check("rename", path) { (path) throws(Failure) in
            let target = Self.normal(target)
            try perform(.rename, path) { state, isCrash in
                if isCrash, state.names.files[path] != nil, Bool.random(using: &state.random) {
                    state.names.rename(path, to: target)
                }
            } _: { (state) throws(Failure) in
                guard state.names.files[path] != nil else { throw Failure(errno: ENOENT) }
                state.names.rename(path, to: target)
            }
        }
    }

    package func remove(_ path: String) throws(StorageError) {
        try check("remove", path) { (path) throws(Failure) in try unlink(path) }
    }

    package func list(_ path: String) throws(StorageError) -> [String] {
        try check("list", path) { (path) throws(Failure) in
            try perform(.list, path) { (state) throws(Failure) in
                guard state.names.directories.contains(path) else { throw Failure(errno: ENOENT) }
                return state.names.list(path)
            }
        }
    }

    package func exists(_ path: String) throws(StorageError) -> Bool {
        try check("look for", path) { (path) throws(Failure) in try lookFor(path).isThere }
    }

    package func makeDirectory(_ path: String) throws(StorageError) {
        try check("make", path) { (path) throws(Failure) in
            try perform(.makeDirectory, path) { state, isCrash in
                if isCrash, !state.names.directories.contains(path), Bool.random(using: &state.random) {
                    state.names.makeDirectory(path)
                }
            } _: { (state) throws(Failure) in
                if state.names.directories.contains(path) || state.names.files[path] != nil { return }
                guard state.names.directories.contains(Names.parent(of: path)) else { throw Failure(errno: ENOENT) }
                state.names.makeDirectory(path)
            }
        }
    }

    package func syncDirectory(_ path: String) throws(StorageError) {
        try check("sync", path) { (path) throws(Failure) in try synchronizeDirectory(path) }
    }

    package func syncAll(_ path: String) throws(StorageError) {
        try check("sync", path) { (path) throws(Failure) in
            try perform(.syncAll, path) { state, isCrash in
                for path in state.names.files.keys.sorted() {
                    let node = state.names.files[path]!
                    if isCrash { node.syncSome(&state.random) } else { node.failSync(&state.random) }
                }
            } _: { state in
                state.names.syncAll()
            }
        }
    }
}
