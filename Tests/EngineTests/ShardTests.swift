import Engine
import Foundation
import Ledger
import Storage
import Testing

/// What the shards are behind, and what comes of it.
@Suite struct ShardTests {
    @Test func aReportSeesEverythingAcknowledgedBeforeIt() throws {
        let harness = try Harness { $0.limits.flushIntervalMs = 3_600_000 }
        _ = try harness.step(grant(id(1), 1_000))
        onThreads(4) { thread in
            for turn in 0..<25 {
                let number = 10 + thread * 100 + turn
                _ = harness.begin(reserve(id(number), 1)).wait()
                let entries = try? harness.entries()
                #expect(entries?.contains { $0.reservation == id(number) } == true)
            }
        }
        #expect(try harness.entries().map(\.sequence) == Array(1...101))
        // Nobody asks and nothing was done: there is nothing to wait for.
        #expect(try harness.entries(tenant(7)).isEmpty)
        harness.engine.stop()
    }

    /// What stands in the way of the shards' files.
    enum Trouble: CaseIterable { case oneTenant, allTenants }

    @Test(arguments: Trouble.allCases)
    func stepsGoOnWhileAShardCannotBeWrittenAndItCatchesUpLater(trouble: Trouble) throws {
        let harness = try Harness()
        let shards = harness.directory.path + "/shards"
        let obstacle =
            switch trouble {
            case .oneTenant: ShardStore.file(of: tenant(0), in: shards)
            case .allTenants: shards
            }
        // In memory before the trouble begins; its file is made at its first flush.
        for number in 0..<4 { #expect(try harness.totals(tenant(number)).granted == 0) }
        if trouble == .allTenants { try FileManager.default.removeItem(atPath: shards) }
        try FileManager.default.createDirectory(
            atPath: (obstacle as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        if trouble == .oneTenant {
            try FileManager.default.createDirectory(atPath: obstacle, withIntermediateDirectories: false)
        } else {
            #expect(FileManager.default.createFile(atPath: obstacle, contents: nil))
        }

        for number in 0..<4 {
            _ = try harness.step(grant(id(1), 1_000), tenant(number))
            for turn in 0..<20 { _ = try harness.answer(reserve(id(10 + turn), 1), tenant(number)) }
        }
        #expect(eventually { harness.health.shards == [false] })
        #expect(throws: EngineError.self) { try harness.entries(tenant(0)) }
        if trouble == .oneTenant {
            for number in 1..<4 { try harness.verify(tenant(number)) }
        }
        #expect(harness.health.shards == [false], "said once, whatever the others do")
        #expect(harness.engine.pendingRecords > 0)

        try FileManager.default.removeItem(atPath: obstacle)
        if trouble == .allTenants {
            try FileManager.default.createDirectory(atPath: shards, withIntermediateDirectories: false)
        }
        #expect(eventually { harness.health.shards == [false, true] && harness.engine.pendingRecords == 0 })
        for number in 0..<4 {
            #expect(try harness.entries(tenant(number)).count == 21)
            try harness.verify(tenant(number))
        }
        harness.engine.stop()
    }

    @Test func stoppingDoesNotWaitForAShardThatCannotBeWrittenAndLosesNothing() throws {
        let directory = try TemporaryDirectory()
        let obstacle = ShardStore.file(of: acme, in: directory.path + "/shards")
        do {
            let harness = try Harness(directory) { $0.limits.flushIntervalMs = 3_600_000 }
            #expect(try harness.totals().granted == 0)
            try FileManager.default.createDirectory(atPath: obstacle, withIntermediateDirectories: true)
            _ = try harness.step(grant(id(1), 1_000))
            _ = try harness.step(grant(id(1), 1_000), tenant(1))
            harness.engine.stop()
            #expect(harness.engine.pendingRecords == 1)
        }
        try FileManager.default.removeItem(atPath: obstacle)
        let harness = try Harness(directory)
        #expect(try harness.step(grant(id(1), 1_000)).replayed)
        #expect(try harness.totals().available == 1_000)
        try harness.verify()
        harness.engine.stop()
    }

    @Test func theJournalStaysBoundedAndARestartLosesNothing() throws {
        let directory = try TemporaryDirectory()
        let trimBytes: Int64 = 64 << 10
        let segmentBytes: Int64 = 16 << 10
        let limit: (inout EngineConfiguration) -> Void = {
            $0.limits.trimBytes = trimBytes
            $0.limits.flushIntervalMs = 1
            // So many as are pending at most take up far less than what the journal may be trimmed to.
            $0.limits.maxPendingRecords = 300
        }
        var largest: Int64 = 0
        do {
            let harness = try Harness(directory, segmentBytes: segmentBytes, limit)
            for number in 0..<8 { _ = try harness.step(grant(id(1), 1_000_000), tenant(number)) }
            for turn in 0..<60 {
                let steps = (0..<64).map { harness.begin(reserve(id(10 + turn * 64 + $0), 1), tenant($0 % 8)) }
                for step in steps { _ = try #require(step.wait()).get().outcome.get() }
                #expect(eventually { harness.engine.pendingRecords < 100 })
                largest = max(largest, harness.journal.byteCount)
            }
            #expect(harness.journal.firstPosition > harness.journal.durablePosition / 2, "most of it is gone")
            harness.engine.stop()
        }
        #expect(largest < 3 * trimBytes)
        let harness = try Harness(directory, segmentBytes: segmentBytes, limit)
        for number in 0..<8 {
            #expect(try harness.totals(tenant(number)).held == 60 * 8)
            try harness.verify(tenant(number))
        }
        harness.engine.stop()
    }

    @Test func aJournalThatCannotBeTrimmedIsBoundedAndGoesOnWhenItCan() throws {
        let harness = try Harness(segmentBytes: 8 << 10) {
            $0.limits.trimBytes = 16 << 10
            $0.limits.maxJournalBytes = 64 << 10
        }
        let obstacle = ShardStore.file(of: tenant(0), in: harness.directory.path + "/shards")
        #expect(try harness.totals(tenant(0)).granted == 0)
        try FileManager.default.createDirectory(atPath: obstacle, withIntermediateDirectories: true)
        _ = try harness.step(grant(id(1), 1_000), tenant(0))
        _ = try harness.step(grant(id(1), 1_000_000))
        var number = 10
        let isFull = eventually {
            number += 1
            if case .failure(.overloaded) = harness.begin(reserve(id(number), 1)).wait() { return true }
            return false
        }
        #expect(isFull)
        try FileManager.default.removeItem(atPath: obstacle)
        #expect(eventually { (try? harness.answer(reserve(id(number), 1))) != nil })
        try harness.verify()
        try harness.verify(tenant(0))
        harness.engine.stop()
    }

    @Test func aShardThatIsGoneTakesOnlyItsTenantDown() throws {
        let directory = try TemporaryDirectory()
        do {
            let harness = try Harness(directory)
            for number in 0..<2 { _ = try harness.step(grant(id(1), 1_000), tenant(number)) }
            harness.engine.stop()
        }
        let file = ShardStore.file(of: tenant(0), in: directory.path + "/shards")
        try FileManager.default.removeItem(atPath: file)
        let harness = try Harness(directory)
        guard case .failure(.damaged(let damaged, _)) = harness.begin(grant(id(2), 1), tenant(0)).wait() else {
            Issue.record("a book that is gone took a step")
            return
        }
        #expect(damaged == tenant(0))
        #expect(!FileManager.default.fileExists(atPath: file))
        #expect(try harness.totals(tenant(1)).granted == 1_000)
        harness.engine.stop()
    }

    @Test func aTrimmedJournalWithoutItsManifestIsRefused() throws {
        let directory = try TemporaryDirectory()
        do {
            let harness = try Harness(directory, segmentBytes: 8 << 10) { $0.limits.trimBytes = 8 << 10 }
            _ = try harness.step(grant(id(1), 1_000_000))
            for number in 0..<400 { _ = try harness.answer(reserve(id(10 + number), 1)) }
            harness.engine.stop()
            #expect(harness.journal.firstPosition > 1)
        }
        try FileManager.default.removeItem(atPath: directory.path + "/shards/manifest.sqlite")
        for suffix in ["-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: directory.path + "/shards/manifest.sqlite" + suffix)
        }
        #expect(throws: StorageError.self) { try Harness(directory) }
    }
}
