import Storage

/// `tollgate verify`: proves every tenant's book from its entries.
enum VerifyCommand {
    private static let tenant = OptionSpec.value("--tenant", "TENANT", "only this tenant's book")

    static let verify = Subcommand(
        path: ["verify"], summary: "Proves every tenant's book from its entries; exits 1 where something is off.",
        details: """
            Recomputes each book from nothing: the chain of hashes, the balance after each entry, granted =
            available + held + consumed + expired, and every table that is made of the entries. It takes no
            lock and changes nothing, and may run beside a server. What the journal holds and the books do
            not yet is counted; a server brings it there when it runs.
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
            let proof = try BookProofs.prove(dataPath: path, only: only)
            if arguments.has(ServerConnection.json) {
                try console.line(proof.json.text)
            } else {
                try console.write(proof.text)
            }
            for line in proof.faultLines { console.message("tollgate: \(line)") }
            if !proof.faultLines.isEmpty { throw .reported }
        })
}
