import Protobuf
import RPC
import TollgateClient

/// `tollgate tenant …`: who has a book of credits.
enum TenantCommands {
    private static let tenant = PositionalSpec(name: "TENANT", help: "its id: 1 to 63 of a-z, 0-9 and '-', for ever")
    private static let plan = OptionSpec.value("--plan", "PLAN", "its plan in the catalog")
    private static let displayName = OptionSpec.value("--display-name", "NAME", "its name to show")
    private static let timeZone = OptionSpec.value(
        "--time-zone", "ZONE", "days, months and cycles begin by it, such as Europe/Berlin", fallback: "UTC")

    static let create = Subcommand(
        path: ["tenant", "create"], summary: "Makes a tenant.",
        details: "The same tenant made again is no error; one that differs from the first is refused.",
        positionals: [tenant], options: [plan, displayName, timeZone] + ServerConnection.options,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            var request = CreateTenantRequest()
            request.tenantID = arguments.positionals[0]
            request.plan = arguments.value(plan) ?? ""
            request.displayName = arguments.value(displayName) ?? ""
            request.timeZone = arguments.value(timeZone) ?? ""
            let sent = request
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await AdminClient(channel).createTenant(sent)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            try console.line(
                "tenant \(answer.tenant?.tenantID ?? "") \(answer.replayed ? "was there already" : "made")")
        })

    static let show = Subcommand(
        path: ["tenant", "show"], summary: "Shows a tenant.", positionals: [tenant], options: ServerConnection.options,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            let request = GetTenantRequest.with { $0.tenantID = arguments.positionals[0] }
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await AdminClient(channel).getTenant(request)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            let tenant = answer.tenant ?? Tenant()
            try console.write(
                listing([
                    ("tenant", tenant.tenantID), ("plan", tenant.plan.isEmpty ? "none" : tenant.plan),
                    ("name", tenant.displayName), ("time zone", tenant.timeZone), ("made", timeText(tenant.createTime)),
                ]))
        })

    static let list = Subcommand(
        path: ["tenant", "list"], summary: "Lists the tenants by id.", options: [listLimit] + ServerConnection.options,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            var listing = try Listing<Tenant>(arguments)
            while let size = listing.nextSize {
                let request = ListTenantsRequest.with {
                    $0.pageSize = size
                    $0.pageToken = listing.token
                }
                let page = try await connection.call { (channel) async throws(RPCError) in
                    try await AdminClient(channel).listTenants(request)
                }
                listing.add(page.tenants, nextToken: page.nextPageToken)
            }
            if arguments.has(ServerConnection.json) {
                let answer = ListTenantsResponse.with {
                    $0.tenants = listing.entries
                    $0.nextPageToken = listing.token
                }
                return try console.line(answer.jsonString())
            }
            var table = Table([
                ("TENANT", .left), ("PLAN", .left), ("TIME ZONE", .left), ("MADE", .left), ("NAME", .left),
            ])
            for tenant in listing.entries {
                table.add([
                    tenant.tenantID, tenant.plan, tenant.timeZone, timeText(tenant.createTime), tenant.displayName,
                ])
            }
            try console.write(table.text)
            listing.tellOfRest(console)
        })
}

/// A moment as text; `never` where there is none.
func timeText(_ time: Timestamp?, otherwise: String = "never") -> String {
    time.map { $0.rfc3339 ?? "out of range" } ?? otherwise
}
