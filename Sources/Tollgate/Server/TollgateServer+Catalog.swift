import Engine
import Ledger
import Storage

extension TollgateServer {
    /// The catalog that a server starts with: the file's, the newest that was applied, or the built-in one.
    static func catalogs(
        _ directory: Directory, file path: String?, at now: Instant
    ) throws(StartupError) -> CatalogKeeper {
        do throws(CatalogChangeError) {
            var file: [UInt8]?
            if let path { file = try json(of: path) }
            return try CatalogKeeper(directory: directory, applying: file, at: now)
        } catch {
            throw StartupError(error.description)
        }
    }

    private static func json(of path: String) throws(CatalogChangeError) -> [UInt8] {
        do throws(CatalogError) {
            return try Catalog.contents(of: path)
        } catch {
            throw .catalog(error)
        }
    }

    /// The number of the catalog in force, from 1; 0 for the one that is built in.
    package var catalogVersion: Int64 { catalogs.current.version }

    /// Reads the catalog's file again and puts it in force. One with a fault changes nothing; the log says how it went.
    package func reloadCatalog() {
        guard let catalogPath else {
            return log.warning("there is no catalog to read again: the server was started without --catalog")
        }
        do throws(CatalogChangeError) {
            let (version, isNew) = try catalogs.apply(try Self.json(of: catalogPath), at: engine.now)
            log.info(
                isNew ? "the catalog is in force" : "the catalog is in force already",
                ["file": catalogPath, "version": String(version)])
        } catch {
            log.error("the catalog stays as it was", ["file": catalogPath, "reason": error.description])
        }
    }
}
