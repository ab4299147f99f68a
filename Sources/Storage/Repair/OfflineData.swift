/// The data directory of a server that does not run, and its journal, for who mends something there.
struct OfflineData {
    let directory: DataDirectory
    let journal: LocalJournal

    init(path: String, _ fileSystem: any FileSystem) throws(StorageError) {
        let layout = DataDirectory.Layout(path: path)
        guard try fileSystem.exists(layout.version) else { throw .notADataDirectory(layout) }
        directory = try DataDirectory(path: path, create: false, fileSystem: fileSystem)
        do throws(StorageError) {
            journal = try LocalJournal(directory: directory.journal, fileSystem: fileSystem, spares: .never)
        } catch {
            directory.close()
            throw error
        }
    }

    func close() {
        journal.close()
        directory.close()
    }
}
