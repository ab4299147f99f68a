import Ledger
import Storage

/// One thing that the directory knows.
enum DirectoryFact: Hashable {
    /// What a tenant is called.
    case name(TenantID)
    /// The role of a member.
    case member(TenantID, String)
    /// What the key of this number is good for.
    case key(UInt8)
    case catalog
    /// What it owes to a book.
    case note(StepID)
}

/// What the world knows of the directory.
struct DirectoryFacts {
    private struct Known {
        /// More than one where a change got no answer; empty for what is not there.
        var now = [""]
        /// The same and all that was before, from when on its file, beside an empty log, last had everything.
        var sinceFile = [""]
    }

    private(set) var all: [DirectoryFact] = []
    private var known: [DirectoryFact: Known] = [:]

    /// A change was made, or got no answer.
    mutating func change(_ fact: DirectoryFact, to value: String, isCertain: Bool) {
        if known[fact] == nil { all.append(fact) }
        var facts = known[fact] ?? Known()
        facts.now = isCertain ? [value] : facts.now + [value]
        facts.sinceFile.append(value)
        known[fact] = facts
    }

    /// Everything that is certain stands in the file, and what is not is there or never was.
    mutating func areInFile() {
        for fact in all { known[fact]!.sinceFile = known[fact]!.now }
        all.removeAll { fact in
            guard case .note = fact, known[fact]!.now == [""] else { return false }
            known[fact] = nil
            return true
        }
    }

    /// What is found now is so, and stays so.
    mutating func isFound(_ fact: DirectoryFact, _ value: String) { change(fact, to: value, isCertain: true) }

    func values(_ fact: DirectoryFact) -> [String] { known[fact]?.now ?? [""] }

    func valuesSinceFile(_ fact: DirectoryFact) -> [String] { known[fact]?.sinceFile ?? [""] }
}

/// What a directory says.
struct DirectoryGlance {
    private let directory: Directory
    private(set) var owed: [StepID: String] = [:]

    init(_ directory: Directory) throws(StorageError) {
        self.directory = directory
        var place: Int64 = 0
        while true {
            let page = try directory.outbox(after: place)
            guard let last = page.last else { return }
            place = last.place
            for next in page { owed[next.note.id] = String(decoding: next.note.body, as: UTF8.self) }
        }
    }

    func value(_ fact: DirectoryFact) -> String {
        switch fact {
        case .name(let tenant): directory.tenant(tenant)?.displayName ?? ""
        case .member(let tenant, let id): directory.member(MemberID(id), of: tenant)?.role ?? ""
        case .key(let number):
            directory.key(forHash: KeyRecord.digest(number)).map { $0.revokedAt == nil ? $0.role : "revoked" } ?? ""
        case .catalog: directory.catalogs().last.map { String(decoding: $0.json, as: UTF8.self) } ?? ""
        case .note(let id): owed[id] ?? ""
        }
    }
}

extension KeyRecord {
    /// Of the simulation's key of that number.
    static func digest(_ number: UInt8) -> KeyDigest { KeyDigest([UInt8](repeating: number, count: 32))! }
}
