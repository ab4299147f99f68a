import Glibc
import Storage

/// `tollgate verify`: proves every tenant's book from its entries.
enum VerifyCommand {
    private static let onlyTenant = OptionSpec.value("--tenant", "TENANT", "only this tenant's book")
    private static let data = OptionSpec.value("--data", "DIR", "the data directory")
    private static let backup = OptionSpec.value(
        "--backup", "BACKUP", "instead of a data directory: the backup to prove")

    static let verify = Subcommand(
        path: ["verify"], summary: "Proves every tenant's book from its entries; exits 1 where something is off.",
        details: """
            Recomputes each book from nothing: the chain of hashes, the balance after each entry, granted =
            available + held + consumed + expired, and every table that is made of the entries. It takes no
            lock, writes nothing, and may run beside a server. What the journal holds and the books do not
            yet is counted; a server brings it there when it runs.

            With --backup every frame of the copies is checked, and each book is made anew of its copy in a
            temporary file (TMPDIR) and proven there.
            """,
        options: [data, backup, onlyTenant, RestoreCommand.generation, ServerConnection.json],
        work: .blocking { (arguments, console) throws(CommandError) in
            let only = try tenant(arguments)
            let proof: BookProofs
            switch (arguments.value(data), arguments.value(backup)) {
            case (let path?, nil):
                becomeOwner(of: path)
                proof = try BookProofs.prove(dataPath: path, only: only)
            case (nil, let path?):
                proof = try BookProofs.prove(
                    backupPath: path, only: only,
                    generation: try arguments.integer(RestoreCommand.generation, in: 1...Int(Int32.max)), console)
            default: throw arguments.wrong("give --data DIR or --backup BACKUP")
            }
            if arguments.has(ServerConnection.json) {
                try console.line(proof.json.text)
            } else {
                try console.write(proof.text)
            }
            for line in proof.faultLines { console.message("tollgate: \(line)") }
            if !proof.faultLines.isEmpty { throw .reported }
        })

    /// The one tenant that is asked for; nil for all.
    static func tenant(_ arguments: ParsedArguments) throws(CommandError) -> TenantID? {
        guard let text = arguments.value(onlyTenant) else { return nil }
        guard let id = TenantID(text) else {
            throw arguments.wrong("--tenant \(quoted(text)) must be 1 to 63 of a-z, 0-9 and '-'")
        }
        return id
    }

    /// Root goes on as the directory's owner: SQLite may leave files beside the books it reads (`-wal`, `-shm`), and the
    /// server's user has to be able to write them.
    static func becomeOwner(of path: String) {
        var status = stat()
        guard geteuid() == 0, stat(path, &status) == 0, status.st_uid != 0 else { return }
        // Where this is refused the files stay root's, as without it; the group goes first, while root may still choose it.
        _ = setegid(status.st_gid)
        _ = seteuid(status.st_uid)
    }
}
