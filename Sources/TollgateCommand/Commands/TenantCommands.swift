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
            try console.write(text(of: answer.tenant ?? Tenant()))
        })

    private static let noPlan = OptionSpec.toggle("--no-plan", "take the plan away")
    private static let state = OptionSpec.value(
        "--state", "STATE", "how it stands: active, grandfathered, past_due or canceled")
    private static let newZone = OptionSpec.value(
        "--time-zone", "ZONE", "its time zone, at once, such as Europe/Berlin")
    private static let atCycleEnd = OptionSpec.toggle("--at-cycle-end", "plan and state change when the cycle ends")
    private static let allowance = OptionSpec.value(
        "--allowance", "RULE", "what a change at once does to this cycle's allowance: keep, top_up or replace",
        fallback: "keep")
    private static let reason = OptionSpec.value("--reason", "TEXT", "why, for the audit trail")

    static let update = Subcommand(
        path: ["tenant", "update"], summary: "Changes a tenant's plan, state, name or time zone.",
        details: "What is not named stays as it is. The same change again changes nothing.",
        positionals: [tenant],
        options: [plan, noPlan, state, displayName, newZone, atCycleEnd, allowance, reason] + ServerConnection.options,
        work: .calls { (arguments, console) async throws(CommandError) in
            let request = try updateRequest(arguments)
            let connection = try ServerConnection(arguments)
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await AdminClient(channel).updateTenant(request)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            try console.write(text(of: answer.tenant ?? Tenant()))
        })

    private static func updateRequest(_ arguments: ParsedArguments) throws(CommandError) -> UpdateTenantRequest {
        var request = UpdateTenantRequest()
        request.tenantID = arguments.positionals[0]
        request.plan = arguments.value(plan)
        if arguments.has(noPlan) {
            if request.plan != nil { throw arguments.wrong("--no-plan has no meaning beside --plan") }
            request.plan = ""
        }
        request.displayName = arguments.value(displayName)
        request.timeZone = arguments.value(newZone)
        if let name = arguments.value(state) {
            guard name != "trial", let known = states.first(where: { $0.name == name }) else {
                throw arguments.wrong("--state \(quoted(name)) must be active, grandfathered, past_due or canceled")
            }
            request.subscription = known.state
        }
        request.when = arguments.has(atCycleEnd) ? .cycleEnd : .now
        switch arguments.value(allowance) ?? "" {
        case "keep": request.allowance = .keep
        case "top_up": request.allowance = .topUp
        case "replace": request.allowance = .replace
        case let other: throw arguments.wrong("--allowance \(quoted(other)) must be keep, top_up or replace")
        }
        request.reason = arguments.value(reason) ?? ""
        return request
    }

    private static let states: [(name: String, state: SubscriptionState)] = [
        ("trial", .trial), ("active", .active), ("grandfathered", .grandfathered), ("past_due", .pastDue),
        ("canceled", .canceled),
    ]

    private static func name(of state: SubscriptionState) -> String {
        states.first { $0.state == state }?.name ?? "other"
    }

    /// A tenant for people.
    private static func text(of tenant: Tenant) -> String {
        var pairs = [
            (name: "tenant", value: tenant.tenantID), (name: "plan", value: tenant.plan.isEmpty ? "none" : tenant.plan),
            (name: "name", value: tenant.displayName), (name: "time zone", value: tenant.timeZone),
            (name: "made", value: timeText(tenant.createTime)),
        ]
        guard let subscription = tenant.subscriptionDetails else { return listing(pairs) }
        pairs.append((name: "state", value: name(of: subscription.state)))
        if let end = subscription.cycleEndTime {
            pairs.append((name: "cycle", value: "\(timeText(subscription.cycleStartTime)) to \(timeText(end))"))
            let allowance = Amount.credits(micros: subscription.allowanceMicros)
            pairs.append((name: "allowance", value: "\(allowance) credits"))
        }
        if !subscription.nextPlan.isEmpty { pairs.append((name: "next plan", value: subscription.nextPlan)) }
        if subscription.endsWithCycle { pairs.append((name: "next plan", value: "none")) }
        if subscription.nextState != .unspecified {
            pairs.append((name: "next state", value: name(of: subscription.nextState)))
        }
        return listing(pairs)
    }

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
