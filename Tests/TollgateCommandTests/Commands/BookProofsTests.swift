import Ledger
import Storage
import Testing

@testable import TollgateCommand

/// What is said of a file that was there when the folder was listed and is gone when it is opened.
@Suite struct BookProofsTests {
    private let tenant = TenantID("acme")!

    @Test func aFileThatTheServerRemovedToMakeItAnewIsNoBookYet() throws {
        let scratch = try TemporaryDirectory(removedOnSignals: false)
        defer { scratch.remove() }
        #expect(try BookProofs.verdict(on: tenant, in: scratch.path, nil).get() == nil)
    }

    @Test func aFileThatTheManifestVouchesForIsLost() throws {
        let scratch = try TemporaryDirectory(removedOnSignals: false)
        defer { scratch.remove() }
        let verdict = try BookProofs.verdict(on: tenant, in: scratch.path, 7).get()
        #expect(verdict?.fault?.description.contains("acme") == true)
    }
}
