import Protobuf
import RPC
import TollgateClient

/// `tollgate member …`: who is a member of a tenant, and with which role.
enum MemberCommands {
    private static let member = PositionalSpec(
        name: "MEMBER", help: "the id by which services name the member in tollgate-actor")
    private static let role = OptionSpec.value(
        "--role", "ROLE", "what it may do: owner, admin or member, or another role of the catalog", isRequired: true)
    private static let displayName = OptionSpec.value("--display-name", "NAME", "its name to show")

    static let set = Subcommand(
        path: ["member", "set"], summary: "Makes someone a member of a tenant, or gives a member another role.",
        details: """
            From the first member on, calls on behalf of someone may do only what that one's role may, and
            meter. The last owner stays one.
            """,
        positionals: [member], options: [role, displayName] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            let request = try SetMemberRequest.with { (request) throws(CommandError) in
                request.tenantID = try arguments.required(ServerConnection.tenant)
                request.memberID = arguments.positionals[0]
                request.role = try arguments.required(role)
                request.displayName = arguments.value(displayName) ?? ""
            }
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await AdminClient(channel).setMember(request)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            let member = answer.member ?? Member()
            try console.line("\(printable(member.memberID)) is a member with the role \(printable(member.role))")
        })

    static let remove = Subcommand(
        path: ["member", "remove"], summary: "Ends a membership.",
        details: "One that is not there is no error. The last owner stays a member.",
        positionals: [member], options: ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            let request = try RemoveMemberRequest.with { (request) throws(CommandError) in
                request.tenantID = try arguments.required(ServerConnection.tenant)
                request.memberID = arguments.positionals[0]
            }
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await AdminClient(channel).removeMember(request)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            try console.line("\(printable(request.memberID)) is no member")
        })

    static let list = Subcommand(
        path: ["member", "list"], summary: "Lists a tenant's members by id.",
        options: [listLimit] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            let tenant = try arguments.required(ServerConnection.tenant)
            var listing = try Listing<Member>(arguments)
            while let size = listing.nextSize {
                let request = ListMembersRequest.with {
                    $0.tenantID = tenant
                    $0.pageSize = size
                    $0.pageToken = listing.token
                }
                let page = try await connection.call { (channel) async throws(RPCError) in
                    try await AdminClient(channel).listMembers(request)
                }
                listing.add(page.members, nextToken: page.nextPageToken)
            }
            if arguments.has(ServerConnection.json) {
                let answer = ListMembersResponse.with {
                    $0.members = listing.entries
                    $0.nextPageToken = listing.token
                }
                return try console.line(answer.jsonString())
            }
            var table = Table([("MEMBER", .left), ("ROLE", .left), ("SINCE", .left), ("NAME", .left)])
            for member in listing.entries {
                table.add([member.memberID, member.role, timeText(member.createTime), member.displayName])
            }
            try console.write(table.text)
            listing.tellOfRest(console)
        })
}
