import Protobuf
import RPC
import TollgateClient

/// `tollgate key …`: who may call.
enum KeyCommands {
    private static let role = OptionSpec.value(
        "--role", "ROLE", "what it may do: owner, admin, member, service or platform", isRequired: true)
    private static let name = OptionSpec.value("--name", "NAME", "what it is for")
    private static let allTenants = OptionSpec.toggle("--all-tenants", "the key serves every tenant")
    private static let keyID = PositionalSpec(name: "KEY_ID", help: "its id, as 'tollgate key list' shows it")

    static let create = Subcommand(
        path: ["key", "create"], summary: "Makes a key and shows it, this once.",
        details: """
            The key serves the tenant of --tenant alone, or with --all-tenants every tenant.
            It goes to standard output, and what else there is to say to standard error.
            """,
        options: [role, name, allTenants] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let isForAll = arguments.has(allTenants)
            let tenant = isForAll ? "" : arguments.value(ServerConnection.tenant) ?? ""
            guard isForAll || !tenant.isEmpty else {
                throw arguments.wrong("whose key is it? Give --tenant TENANT, or --all-tenants")
            }
            let connection = try ServerConnection(arguments)
            let request = try CreateKeyRequest.with { (request) throws(CommandError) in
                request.tenantID = tenant
                request.role = try arguments.required(role)
                request.name = arguments.value(name) ?? ""
            }
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await AdminClient(channel).createKey(request)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            try console.line(answer.key)
            console.message("key \(answer.keyID) made; it is not shown again, so keep it where secrets are kept")
        })

    static let list = Subcommand(
        path: ["key", "list"], summary: "Lists the keys, the oldest first; never the secrets themselves.",
        details: "With --tenant those of one tenant, else all that the caller's key may see.",
        options: [listLimit] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            var listing = try Listing<KeyInfo>(arguments)
            while let size = listing.nextSize {
                let request = ListKeysRequest.with {
                    $0.tenantID = arguments.value(ServerConnection.tenant) ?? ""
                    $0.pageSize = size
                    $0.pageToken = listing.token
                }
                let page = try await connection.call { (channel) async throws(RPCError) in
                    try await AdminClient(channel).listKeys(request)
                }
                listing.add(page.keys, nextToken: page.nextPageToken)
            }
            if arguments.has(ServerConnection.json) {
                let answer = ListKeysResponse.with {
                    $0.keys = listing.entries
                    $0.nextPageToken = listing.token
                }
                return try console.line(answer.jsonString())
            }
            var table = Table([
                ("KEY ID", .left), ("TENANT", .left), ("ROLE", .left), ("MADE", .left), ("REVOKED", .left),
                ("NAME", .left),
            ])
            for key in listing.entries {
                table.add([
                    key.keyID, key.tenantID.isEmpty ? "(all)" : key.tenantID, key.role, timeText(key.createTime),
                    timeText(key.revokeTime, otherwise: ""), key.name,
                ])
            }
            try console.write(table.text)
            listing.tellOfRest(console)
        })

    static let revoke = Subcommand(
        path: ["key", "revoke"], summary: "Ends a key at once.", positionals: [keyID],
        options: ServerConnection.options,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            let request = RevokeKeyRequest.with { $0.keyID = arguments.positionals[0] }
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await AdminClient(channel).revokeKey(request)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            try console.line("key \(answer.info?.keyID ?? "") revoked at \(timeText(answer.info?.revokeTime))")
        })
}
