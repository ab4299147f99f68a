import Storage

/// One thing that is wrong in a catalog file.
package struct CatalogFault: Equatable, Sendable, CustomStringConvertible {
    /// From 1.
    package var line: Int
    /// Where it is, as `features.chat.units`; empty for the file as a whole.
    package var path: String
    /// What is wrong, and what would be right.
    package var reason: String

    package var description: String {
        path.isEmpty ? "line \(line): \(reason)" : "line \(line): \(path): \(reason)"
    }
}

/// Why a catalog could not be read. A server does not start with half a catalog.
package enum CatalogError: Error, Equatable, Sendable {
    /// The file could not be read: `reason` is the system's.
    case unreadable(path: String, reason: String)
    /// What is wrong in it, in the order of the file, at most `Limits.maxCatalogFaults` of them; `hasMore` where there
    /// are more.
    case invalid(faults: [CatalogFault], hasMore: Bool)
}

extension CatalogError: CustomStringConvertible {
    /// One line for each fault.
    package var description: String {
        switch self {
        case .unreadable(let path, let reason):
            return "the catalog \(path) cannot be read: \(reason)"
        case .invalid(let faults, let hasMore):
            let lines = faults.map { "catalog, \($0.description)" }
            return (hasMore ? lines + ["catalog: there are more faults than these"] : lines).joined(separator: "\n")
        }
    }
}

/// Why a catalog was not put in force.
package enum CatalogChangeError: Error, Sendable {
    case catalog(CatalogError)
    case storage(StorageError)
}

extension CatalogChangeError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .catalog(let error): error.description
        case .storage(let error): error.description
        }
    }
}
