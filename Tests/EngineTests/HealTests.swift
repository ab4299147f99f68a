import Engine
import Foundation
import Ledger
import Storage
import Testing

/// A damaged shard takes its own tenant down, for as long as it is damaged.
@Suite struct HealTests {
    /// A data directory with three tenants, as a server has it.
    private struct Server {
        let directory: TemporaryDirectory
        let data: DataDirectory
        var target: String { directory.path + "/copies" }

        init() throws {
            directory = try TemporaryDirectory()
            data = try DataDirectory(path: directory.path, create: true)
            let tenants = try Directory(path: data.directory)
            for number in 0..<3 {
                _ = try tenants.createTenant(
                    TenantRecord(
                        id: tenant(number), plan: "", displayName: "", timeZone: "UTC", createdAt: .zero))
            }
            tenants.close()
        }

        func file(of number: Int) -> String { ShardStore.file(of: tenant(number), in: data.shards) }

        func backup() throws {
            let report = try BackupRun(dataPath: directory.path, target: target).run(at: .zero)
            #expect(report.faults.isEmpty)
        }

        func heal(_ number: Int, withBackup: Bool = true) throws -> HealReport {
            try HealRun(
                dataPath: directory.path, tenant: tenant(number), source: withBackup ? target : nil
            ).run()
        }

        func asides() throws -> [String] {
            let file = file(of: 0) as NSString
            return try FileManager.default.contentsOfDirectory(atPath: file.deletingLastPathComponent).filter {
                $0.hasPrefix(file.lastPathComponent + ".damaged-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm")
            }
        }
    }

    /// What is done to the bytes of a shard.
    enum Damage: CaseIterable {
        case noDatabase, emptied, cutInHalf, secondPage, lastPages

        func apply(to path: String) throws {
            for part in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + part) }
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            switch self {
            case .noDatabase: bytes.replaceSubrange(0..<100, with: [UInt8](repeating: 0x41, count: 100))
            case .emptied: bytes = [UInt8](repeating: 0, count: bytes.count)
            case .cutInHalf: bytes.removeLast(bytes.count / 2)
            case .secondPage: bytes.replaceSubrange(4_096..<8_192, with: [UInt8](repeating: 0x5A, count: 4_096))
            case .lastPages:
                bytes.replaceSubrange(
                    bytes.count / 3..<bytes.count, with: [UInt8](repeating: 0x33, count: bytes.count - bytes.count / 3))
            }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
        }
    }

    /// True where the engine refuses the tenant for the damage of its book.
    private func isRefused(_ harness: Harness, _ number: Int) -> Bool {
        if case .failure(.damaged(tenant(number), _)) = harness.begin(reserve(id(9_999), 1), tenant(number)).wait() {
            return true
        }
        return false
    }

    @Test(arguments: Damage.allCases)
    func aDamagedBookIsRefusedAndHealedWhileTheOthersGoOn(damage: Damage) throws {
        let server = try Server()
        var answers: [Int: StepAnswer] = [:]
        do {
            let harness = try Harness(server.directory)
            for number in 0..<3 { _ = try harness.step(grant(id(1), 1_000_000), tenant(number)) }
            for turn in 0..<150 {
                answers[turn] = try harness.answer(reserve(id(100 + turn), 5), tenant(0))
                _ = try harness.answer(reserve(id(100 + turn), 5), tenant(1))
                if turn == 70 { try server.backup() }
            }
            harness.engine.stop()
        }
        try damage.apply(to: server.file(of: 0))
        let harness = try Harness(server.directory)
        // Some damage shows only where it is looked at.
        _ = harness.begin(reserve(id(9_999), 1), tenant(0)).wait()
        _ = try? harness.entries(tenant(0))
        for turn in 0..<150 where harness.engine.setAsideShards == 0 {
            _ = harness.begin(reserve(id(100 + turn), 5), tenant(0)).wait()
        }
        try #require(harness.engine.setAsideShards == 1)
        for _ in 0..<3 { #expect(isRefused(harness, 0)) }
        #expect(try server.asides().count == 1)
        #expect(!FileManager.default.fileExists(atPath: server.file(of: 0)), "no book is made in its place")
        _ = try harness.answer(reserve(id(500), 5), tenant(1))
        try harness.verify(tenant(1))
        _ = try harness.step(grant(id(1), 1_000_000), tenant(2))

        let report = try server.heal(0)
        #expect(report.entries == 151 && !report.isAdopted)
        #expect(report.fromBackup >= 71)
        // The next call is served.
        for turn in 0..<150 {
            let again = try harness.step(reserve(id(100 + turn), 5), tenant(0))
            #expect(again.replayed)
            #expect(try again.outcome.get() == answers[turn])
        }
        _ = try harness.answer(reserve(id(600), 5), tenant(0))
        #expect(try harness.totals(tenant(0)).held == 151 * 5)
        #expect(harness.engine.setAsideShards == 0)
        try harness.verify(tenant(0))
        #expect(throws: StorageError.self) { try server.heal(0) }
        harness.engine.stop()
        // And by the next process.
        let next = try Harness(server.directory)
        #expect(try next.totals(tenant(0)).held == 151 * 5)
        next.engine.stop()
    }

    @Test func aBookThatIsDamagedWhileItIsUsedIsRefusedAndLosesNothingThatWasAnswered() throws {
        let server = try Server()
        let harness = try Harness(server.directory, segmentBytes: 8 << 10) {
            $0.limits.trimBytes = 16 << 10
            $0.limits.maxPendingRecords = 100_000
        }
        for number in 0..<3 { _ = try harness.step(grant(id(1), 1_000_000), tenant(number)) }
        for turn in 0..<20 { _ = try harness.answer(reserve(id(100 + turn), 5), tenant(0)) }
        #expect(try harness.entries(tenant(0)).count == 21)
        try server.backup()
        for turn in 20..<40 { _ = try harness.answer(reserve(id(100 + turn), 5), tenant(0)) }
        #expect(try harness.entries(tenant(0)).count == 41)
        // Its handle is closed, so that the next flush meets the damage.
        harness.shards.closeIdle()
        try Damage.noDatabase.apply(to: server.file(of: 0))
        var answered: [Int: StepAnswer] = [:]
        for turn in 40..<4_000 {
            guard case .success(let result) = try #require(harness.begin(reserve(id(100 + turn), 5), tenant(0)).wait())
            else { break }
            answered[turn] = try result.outcome.get()
        }
        #expect(answered.count < 3_960)
        #expect(isRefused(harness, 0))
        // The others fill and trim the journal meanwhile; it keeps what the damaged book lacks.
        for turn in 0..<800 { _ = try harness.answer(reserve(id(5_000 + turn), 5), tenant(1)) }
        try harness.verify(tenant(1))
        #expect(isRefused(harness, 0))
        _ = try server.heal(0)
        for (turn, answer) in answered {
            let again = try harness.step(reserve(id(100 + turn), 5), tenant(0))
            #expect(try again.replayed && again.outcome.get() == answer)
        }
        #expect(try harness.totals(tenant(0)).held == Int64(40 + answered.count) * 5)
        try harness.verify(tenant(0))
        #expect(eventually { harness.engine.pendingRecords == 0 })
        harness.engine.stop()
        let next = try Harness(server.directory)
        #expect(try next.totals(tenant(0)).held == Int64(40 + answered.count) * 5)
        try next.verify(tenant(0))
        next.engine.stop()
    }

    @Test func whatNothingCoversIsNamedAndNothingIsServed() throws {
        let server = try Server()
        do {
            let harness = try Harness(server.directory, segmentBytes: 8 << 10) { $0.limits.trimBytes = 8 << 10 }
            for number in 0..<3 { _ = try harness.step(grant(id(1), 1_000_000), tenant(number)) }
            for turn in 0..<20 { _ = try harness.answer(reserve(id(100 + turn), 5), tenant(0)) }
            try server.backup()
            for turn in 20..<30 { _ = try harness.answer(reserve(id(100 + turn), 5), tenant(0)) }
            // Behind others' steps, so that the journal is trimmed through all of it.
            for turn in 0..<600 { _ = try harness.answer(reserve(id(5_000 + turn), 5), tenant(1)) }
            harness.engine.stop()
            #expect(harness.journal.firstPosition > 40)
        }
        let file = server.file(of: 0)
        let whole = try Data(contentsOf: URL(fileURLWithPath: file))
        try Damage.emptied.apply(to: file)
        let harness = try Harness(server.directory)
        #expect(isRefused(harness, 0))
        #expect {
            try server.heal(0)
        } throws: {
            "\($0)".contains("22 to 31") && "\($0)".contains("not restored")
        }
        #expect(isRefused(harness, 0))
        // A book that is older than what the server listed is not taken.
        let old = server.directory.path + "/old"
        try Data(whole).write(to: URL(fileURLWithPath: old))
        let restorer = RestoreRun(source: server.target, target: server.directory.path + "/copy")
        _ = try restorer.run()
        try FileManager.default.moveItem(
            atPath: ShardStore.file(of: tenant(0), in: server.directory.path + "/copy/shards"),
            toPath: file + ".restored")
        #expect(isRefused(harness, 0))
        try FileManager.default.removeItem(atPath: file + ".restored")
        // The file's own entries are enough where they can be read again.
        let aside = (file as NSString).deletingLastPathComponent + "/" + (try server.asides()[0])
        try whole.write(to: URL(fileURLWithPath: aside))
        let report = try server.heal(0, withBackup: false)
        #expect((report.fromBackup, report.fromFile) == (0, 31))
        #expect(try harness.totals(tenant(0)).held == 150)
        harness.engine.stop()
    }

    @Test func aStoppedServersBookIsHealedInItsPlace() throws {
        let server = try Server()
        do {
            let harness = try Harness(server.directory)
            for number in 0..<2 { _ = try harness.step(grant(id(1), 1_000), tenant(number)) }
            harness.engine.stop()
        }
        server.data.close()
        try server.backup()
        #expect {
            try server.heal(0)
        } throws: {
            "\($0)".contains("whole")
        }
        try Damage.cutInHalf.apply(to: server.file(of: 0))
        #expect(try server.heal(0).isAdopted)
        try FileManager.default.removeItem(atPath: server.file(of: 1))
        #expect(try server.heal(1).isAdopted)
        let harness = try Harness(server.directory)
        for number in 0..<2 {
            #expect(try harness.totals(tenant(number)).granted == 1_000)
            try harness.verify(tenant(number))
        }
        harness.engine.stop()
    }
}
