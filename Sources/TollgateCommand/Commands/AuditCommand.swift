import Protobuf
import RPC
import Tollgate
import TollgateClient

/// `tollgate audit`: who changed what, and what was refused to whom.
enum AuditCommand {
    private static let from = OptionSpec.value("--from", "TIME", "only from then on, such as 2027-01-31T00:00:00Z")
    private static let to = OptionSpec.value("--to", "TIME", "only before then")
    private static let actor = OptionSpec.value("--actor", "MEMBER", "only what was done on behalf of this end user")

    static let audit = Subcommand(
        path: ["audit"], summary: "Shows a tenant's audit trail, the newest first.",
        options: [from, to, actor, listLimit] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments, forTenant: true)
            let (start, end) = (try time(from, arguments), try time(to, arguments))
            var listing = try Listing<AuditEvent>(arguments)
            while let size = listing.nextSize {
                let request = ListAuditEventsRequest.with {
                    $0.pageSize = size
                    $0.pageToken = listing.token
                    $0.startTime = start
                    $0.endTime = end
                    $0.actor = arguments.value(actor) ?? ""
                }
                let page = try await connection.call { (channel) async throws(RPCError) in
                    try await SettingsClient(channel).listAuditEvents(request)
                }
                listing.add(page.events, nextToken: page.nextPageToken)
            }
            if arguments.has(ServerConnection.json) {
                let answer = ListAuditEventsResponse.with {
                    $0.events = listing.entries
                    $0.nextPageToken = listing.token
                }
                return try console.line(answer.jsonString())
            }
            try console.write(table(listing.entries))
            listing.tellOfRest(console)
        })

    private static func time(_ option: OptionSpec, _ arguments: ParsedArguments) throws(CommandError) -> Timestamp? {
        guard let text = arguments.value(option) else { return nil }
        guard let time = TimeText.timestamp(text) else {
            throw arguments.wrong("\(option.name) \(quoted(text)) is no time such as 2027-01-31T00:00:00Z")
        }
        return time
    }

    private static func table(_ events: [AuditEvent]) -> String {
        var table = Table([
            ("TIME", .left), ("WHO", .left), ("FROM", .left), ("WHAT", .left), ("ABOUT", .left), ("OUTCOME", .left),
            ("BEFORE", .left), ("AFTER", .left), ("REASON", .left),
        ])
        for event in events {
            table.add([
                timeText(event.time), event.actor.isEmpty ? event.keyID : event.actor, event.address,
                event.method.split(separator: "/").last.map(String.init) ?? "", event.target, outcome(of: event),
                event.beforeJSON, event.afterJSON, event.reason,
            ])
        }
        return table.text
    }

    private static func outcome(of event: AuditEvent) -> String {
        switch event.outcome {
        case .done: "done"
        case .refused: "refused: \(event.refusal)" + (event.notNoted > 0 ? ", after \(event.notNoted) more" : "")
        case .wouldRefuse: "would refuse"
        default: "other"
        }
    }
}
