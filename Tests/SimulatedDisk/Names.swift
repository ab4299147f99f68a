import SeededRandom

/// The names on the disk, those that a power cut cannot take back, and the changes between.
///
/// Guarded by the disk's lock.
struct Names {
    private enum Change {
        case link(String, Node)
        case makeDirectory(String)
        case unlink(String)
        /// Of that file: where the change that made it is lost and this one is not, it has the new name all the same.
        case rename(String, Node, to: String)
    }

    private(set) var files: [String: Node] = [:]
    private(set) var directories: Set<String> = ["/"]
    private var durableFiles: [String: Node] = [:]
    private var durableDirectories: Set<String> = ["/"]
    /// In their order, each with its directory.
    private var pending: [(directory: String, change: Change)] = []

    /// The directory that a path is in.
    static func parent(of path: String) -> String {
        let end = path.lastIndex(of: "/")!
        return end == path.startIndex ? "/" : String(path[..<end])
    }

    var usedBytes: Int64 { files.values.reduce(0) { $0 + Int64($1.charge) } }

    func list(_ directory: String) -> [String] {
        let prefix = directory == "/" ? "/" : directory + "/"
        return (Array(files.keys) + directories)
            .filter { $0.utf8.count > prefix.utf8.count && $0.hasPrefix(prefix) }
            .map { $0.dropFirst(prefix.count) }.filter { !$0.contains("/") }.map(String.init).sorted()
    }

    // MARK: - Changing

    mutating func link(_ path: String, _ node: Node) {
        change(.link(path, node), in: Self.parent(of: path))
    }

    mutating func makeDirectory(_ path: String) {
        change(.makeDirectory(path), in: Self.parent(of: path))
    }

    mutating func unlink(_ path: String) {
        change(.unlink(path), in: Self.parent(of: path))
    }

    /// Both names are in one directory.
    mutating func rename(_ path: String, to target: String) {
        precondition(Self.parent(of: path) == Self.parent(of: target), "nothing is moved between directories")
        guard let node = files[path] else { return }
        change(.rename(path, node, to: target), in: Self.parent(of: path))
    }

    private mutating func change(_ change: Change, in directory: String) {
        Self.apply(change, &files, &directories)
        pending.append((directory, change))
    }

    private static func apply(_ change: Change, _ files: inout [String: Node], _ directories: inout Set<String>) {
        switch change {
        case .link(let path, let node): files[path] = node
        case .makeDirectory(let path): directories.insert(path)
        case .unlink(let path): files[path] = nil
        case .rename(let path, let node, let target):
            // Where an earlier change is lost, another file may still have the old name.
            if files[path] === node { files[path] = nil }
            files[target] = node
        }
    }

    // MARK: - Durability

    mutating func sync(_ directory: String) {
        var left: [(directory: String, change: Change)] = []
        for entry in pending {
            if entry.directory == directory {
                Self.apply(entry.change, &durableFiles, &durableDirectories)
            } else {
                left.append(entry)
            }
        }
        pending = left
    }

    mutating func syncAll() {
        for node in files.values { node.sync() }
        (durableFiles, durableDirectories, pending) = (files, directories, [])
    }

    mutating func lose(_ loss: SimulatedDisk.Loss, _ random: inout SeededRandom) {
        for (_, change) in pending where loss == .nothing || loss == .some && Bool.random(using: &random) {
            Self.apply(change, &durableFiles, &durableDirectories)
        }
        // What is in a directory that is lost is lost with it.
        durableDirectories = durableDirectories.filter { hasParents($0) }
        durableFiles = durableFiles.filter { hasParents($0.key) }
        (files, directories, pending) = (durableFiles, durableDirectories, [])
        for path in files.keys.sorted() { files[path]!.lose(loss, &random) }
    }

    private func hasParents(_ path: String) -> Bool {
        var path = path
        while path != "/" {
            path = Self.parent(of: path)
            if !durableDirectories.contains(path) { return false }
        }
        return true
    }

    // MARK: - Behind everybody's back

    mutating func overwrite(_ path: String, _ bytes: [UInt8]) {
        let node = files[path] ?? Node()
        node.overwrite(bytes)
        (files[path], durableFiles[path]) = (node, node)
    }

    mutating func erase(_ path: String) {
        (files[path], durableFiles[path]) = (nil, nil)
    }

    func copy() -> Names {
        var copy = self
        // One node may have several names: before and after a rename.
        var nodes: [ObjectIdentifier: Node] = [:]
        func copied(_ node: Node) -> Node {
            if let known = nodes[ObjectIdentifier(node)] { return known }
            let new = node.copy()
            nodes[ObjectIdentifier(node)] = new
            return new
        }
        copy.files = files.mapValues(copied)
        copy.durableFiles = durableFiles.mapValues(copied)
        copy.pending = pending.map { entry in
            switch entry.change {
            case .link(let path, let node): return (entry.directory, .link(path, copied(node)))
            case .rename(let path, let node, let target):
                return (entry.directory, .rename(path, copied(node), to: target))
            case .makeDirectory, .unlink: return entry
            }
        }
        return copy
    }
}
