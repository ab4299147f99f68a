import Storage

/// Why a server or a command on a data directory cannot begin: what is wrong and what to do, for a person to read.
package struct StartupError: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    init(_ error: StorageError) {
        description = error.description
    }
}
