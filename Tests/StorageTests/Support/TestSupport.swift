import Glibc
import Ledger
import Storage
import Testing

/// The seeds of a property test: those of TOLLGATE_SEED alone, or a few that never change and one of the moment. A failure names its seed.
func propertySeeds(_ fixed: Range<UInt64>) -> [UInt64] {
    if let text = getenv("TOLLGATE_SEED"), let seed = UInt64(String(cString: text)) { return [seed] }
    return Array(fixed) + [UInt64.random(in: 0 ... .max)]
}

/// A directory for one test, removed when the last reference goes.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/tollgate-storage-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template)!)
    }

    deinit {
        Self.remove(path)
    }

    static func remove(_ path: String) {
        if let names = try? LocalFileSystem().list(path) {
            for name in names { remove(path + "/" + name) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}

extension TenantID: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) {
        self = TenantID(text)!
    }
}

/// What a replay hands over, as plain values.
struct Replayed: Equatable {
    var position: UInt64
    var tenant: String
    var record: [UInt8]
}

extension Journal {
    func records(after position: UInt64 = 0) throws -> [Replayed] {
        var records: [Replayed] = []
        try replay(after: position) { (position, tenant, record) in
            records.append(Replayed(position: position, tenant: tenant.description, record: Array(record)))
        }
        return records
    }

    /// Appends records of the given contents, and returns them as a replay should hand them over.
    @discardableResult
    func append(_ contents: [(tenant: TenantID, record: [UInt8])]) throws -> [Replayed] {
        var batch = JournalBatch(first: durablePosition + 1)
        var records: [Replayed] = []
        for (tenant, record) in contents {
            let position = batch.add(tenant: tenant) { $0 += record }
            records.append(Replayed(position: position, tenant: tenant.description, record: record))
        }
        try append(batch)
        return records
    }
}
