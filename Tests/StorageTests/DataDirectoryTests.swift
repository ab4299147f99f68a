import Glibc
import SimulatedDisk
import Storage
import Testing

@Suite struct DataDirectoryTests {
    let temporary = TemporaryDirectory()
    var path: String { temporary.path + "/data" }

    @Test func aNewDirectoryIsMadeForItsUserAlone() throws {
        let data = try DataDirectory(path: path + "/deep", create: true)
        #expect(try LocalFileSystem().list(data.path) == ["LOCK", "VERSION", "journal", "shards"])
        var status = stat()
        for part in [data.path, data.journal, data.shards] {
            #expect(stat(part, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o700)
        }
    }

    @Test func aSecondServerIsTurnedAwayByNameUntilTheFirstIsGone() throws {
        let first = try DataDirectory(path: path, create: true)
        #expect { try DataDirectory(path: path, create: false) } throws: { error in
            "\(error)".contains("process \(getpid())") && "\(error)".contains(path)
        }
        first.close()
        _ = try DataDirectory(path: path, create: false)
    }

    @Test func whatIsNoDataDirectoryIsNotTaken() throws {
        #expect { try DataDirectory(path: path, create: false) } throws: { "\($0)".contains("tollgate init") }
        let file = try LocalFileSystem().open(temporary.path + "/letter.txt", .create)
        file.close()
        #expect { try DataDirectory(path: temporary.path, create: true) } throws: { "\($0)".contains("not empty") }
    }

    @Test func anotherFormatIsRefused() throws {
        try DataDirectory(path: path, create: true).close()
        let version = try LocalFileSystem().open(path + "/VERSION", .existing)
        try Array("tollgate 9\n".utf8).withUnsafeBytes { try version.write($0, at: 0) }
        #expect { try DataDirectory(path: path, create: false) } throws: { ($0 as? StorageError)?.isCorruption == true }
    }

    @Test func aDirectoryThatWasLeftHalfMadeIsFinished() throws {
        for call in 1... {
            let disk = SimulatedDisk()
            disk.fail(atCall: call, .once(errno: EIO))
            let first = try? DataDirectory(path: "/data", create: true, fileSystem: disk)
            let isDone = !disk.hasFailed
            first?.close()
            disk.losePower(.nothing)
            _ = try DataDirectory(path: "/data", create: true, fileSystem: disk)
            if isDone { break }
        }
    }
}

@Suite struct TenantIDTests {
    @Test(arguments: ["a", "0", "acme", "a-b-c", "9-", String(repeating: "x", count: 63)])
    func namesThatAreTaken(text: String) {
        #expect(TenantID(text)?.description == text)
    }

    @Test(arguments: [
        "", "-a", "A", "a_b", "a.b", "..", "a/b", "a b", "ä", "a\0", "a\n", String(repeating: "x", count: 64),
        "../../etc",
    ])
    func namesThatNeverReachAPath(text: String) {
        #expect(TenantID(text) == nil)
    }

    @Test func foldersNeverChange() {
        #expect((["acme", "a", "tenant-1"] as [TenantID]).map(\.folder) == ["66", "ed", "55"])
    }
}
