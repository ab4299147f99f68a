import Engine
import Foundation
import Storage

/// `tollgate init`: makes a data directory with its first key.
package enum DataDirectoryInit {
    /// - Returns: the root key, which serves all tenants with the role `platform`. It is shown here and never again.
    package static func create(path: String) throws(StartupError) -> String {
        do throws(StorageError) {
            let data = try DataDirectory(path: path, create: true)
            defer { data.close() }
            let directory = try Directory(path: data.directory)
            defer { directory.close() }
            guard directory.allKeys().isEmpty else {
                throw StorageError.conflict(
                    "\(path) is a data directory already, with a root key that was shown when it was made; start it with `tollgate serve --data \(path)`"
                )
            }
            guard let key = APIKey.generate() else { throw StorageError.limit("the system has no randomness to give") }
            try directory.createKey(
                KeyRecord(
                    keyID: UUID().uuidString.lowercased(), tenant: nil, role: "platform", name: "root",
                    digest: key.digest, createdAt: SystemClock().now()))
            return key.text
        } catch {
            throw StartupError(error)
        }
    }
}
