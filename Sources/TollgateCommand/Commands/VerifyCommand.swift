import Glibc
import Storage

/// `tollgate verify`: proves every tenant's book from its entries.
enum VerifyCommand {
    private static let tenant = OptionSpec.value("--tenant", "TENANT", "only this tenant's book")

    static let verify = Subcommand(
        path: ["verify"], summary: "Proves every tenant's book from its entries; exits 1 where something is off.",
        details: """
            Recomputes each book from nothing: the chain of hashes, the balance after each entry, granted =
            available + held + consumed + expired, and every table that is made of the entries. It takes no
            lock, writes nothing, and may run beside a server. What the journal holds and the books do not
            yet is counted; a server brings it there when it runs.
            """,
        options: [InitCommand.data, tenant, ServerConnection.json],
        work: .blocking { (arguments, console) throws(CommandError) in
            let path = try arguments.required(InitCommand.data)
            var only: TenantID?
            if let text = arguments.value(tenant) {
                guard let id = TenantID(text) else {
                    throw arguments.wrong("--tenant \(quoted(text)) must be 1 to 63 of a-z, 0-9 and '-'")
                }
                only = id
            }
            becomeOwner(of: path)
            let proof = try BookProofs.prove(dataPath: path, only: only)
            if arguments.has(ServerConnection.json) {
                try console.line(proof.json.text)
            } else {
                try console.write(proof.text)
            }
            for line in proof.faultLines { console.message("tollgate: \(line)") }
            if !proof.faultLines.isEmpty { throw .reported }
        })
    /// Root goes on as the directory's owner: SQLite may leave files beside the books it reads (`-wal`, `-shm`), and the
    /// server's user has to be able to write them.
    private static func becomeOwner(of path: String) {
        var status = stat()
        guard geteuid() == 0, stat(path, &status) == 0, status.st_uid != 0 else { return }
        // Where this is refused the files stay root's, as without it; the group goes first, while root may still choose it.
        _ = setegid(status.st_gid)
        _ = seteuid(status.st_uid)
    }
}
