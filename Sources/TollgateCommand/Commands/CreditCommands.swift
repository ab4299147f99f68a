import Foundation
import Protobuf
import RPC
import Tollgate
import TollgateClient

/// `tollgate grant` and `tollgate balance`: what a tenant has.
enum CreditCommands {
    private static let kinds: [(name: String, kind: GrantKind)] = [
        ("subscription", .subscription), ("purchased", .purchased), ("gifted", .gifted),
        ("complimentary", .complimentary),
    ]

    private static let credits = PositionalSpec(
        name: "CREDITS", help: "how much, such as 1000 or 0.25; a credit is 1,000,000 micros")
    private static let kind = OptionSpec.value(
        "--kind", "KIND", "subscription, purchased, gifted or complimentary", fallback: "complimentary")
    private static let expires = OptionSpec.value(
        "--expires", "TIME", "when what is left is gone, such as 2027-01-31T00:00:00Z; else never")
    private static let comment = OptionSpec.value("--comment", "TEXT", "a remark for the history")
    private static let id = OptionSpec.value(
        "--id", "UUID", "the grant's id: granting again with it gives nothing twice; else a new one")

    static let grant = Subcommand(
        path: ["grant"], summary: "Gives a tenant credits.",
        details: """
            Where no answer comes, the message names the grant's id: run the command again with it and
            the credits are given exactly once.
            """,
        positionals: [credits], options: [kind, expires, comment, id] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let request = try grantRequest(arguments)
            let connection = try ServerConnection(arguments)
            let answer: GrantCreditsResponse
            do throws(RPCError) {
                answer = try await AdminClient(connection.channel).grantCredits(request)
            } catch {
                guard error.code == .unavailable || error.code == .deadlineExceeded else {
                    throw .failed(error.sentence)
                }
                throw .failed("\(error.sentence); then grant again with --id \(request.grantID)")
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            let amount = Amount.credits(micros: answer.grant?.amountMicros ?? 0)
            let available = Amount.credits(micros: answer.balance?.availableMicros ?? 0)
            let verb = answer.replayed ? "had been granted before" : "granted"
            try console.line("\(amount) credits \(verb) as \(request.grantID); \(available) available")
        })

    private static func grantRequest(_ arguments: ParsedArguments) throws(CommandError) -> GrantCreditsRequest {
        let text = arguments.positionals[0]
        guard let micros = Amount.micros(credits: text) else {
            throw arguments.wrong("\(quoted(text)) is no amount of credits more than 0, with at most six decimals")
        }
        let name = arguments.value(kind) ?? ""
        guard let known = kinds.first(where: { $0.name == name }) else {
            throw arguments.wrong("--kind \(quoted(name)) must be one of: \(kinds.map(\.name).joined(separator: ", "))")
        }
        var request = GrantCreditsRequest()
        request.grantID = arguments.value(id) ?? newGrantID()
        request.tenantID = arguments.value(ServerConnection.tenant) ?? ""
        request.kind = known.kind
        request.amountMicros = micros
        request.comment = arguments.value(comment) ?? ""
        if let time = arguments.value(expires) {
            guard let moment = TimeText.timestamp(time) else {
                throw arguments.wrong("--expires \(quoted(time)) is no time such as 2027-01-31T00:00:00Z")
            }
            request.expireTime = moment
        }
        return request
    }

    /// A random id, not one in order of time: ids of steps that are older than the newest one in the book cost a look-up each,
    /// and a trace from years ago may be replayed after this grant.
    static func newGrantID() -> String {
        UUID().uuidString.lowercased()
    }

    private static let grantID = PositionalSpec(name: "GRANT_ID", help: "the grant's id")
    private static let reason = OptionSpec.value("--reason", "TEXT", "why, for the history and the audit trail")

    static let revoke = Subcommand(
        path: ["revoke"], summary: "Takes back what is left of a grant.",
        details: "What open reservations hold of it stays held, and goes when they give it back.",
        positionals: [grantID], options: [reason] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments)
            let request = RevokeGrantRequest.with {
                $0.tenantID = arguments.value(ServerConnection.tenant) ?? ""
                $0.grantID = arguments.positionals[0]
                $0.reason = arguments.value(reason) ?? ""
            }
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await AdminClient(channel).revokeGrant(request)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            let amount = Amount.credits(micros: answer.revokedMicros)
            let available = Amount.credits(micros: answer.balance?.availableMicros ?? 0)
            let verb = answer.replayed ? "had been taken back before" : "taken back"
            try console.line("\(amount) credits \(verb); \(available) available")
        })

    static let balance = Subcommand(
        path: ["balance"], summary: "Shows what a tenant has.", options: ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments, forTenant: true)
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await CreditsClient(channel).getBalance(GetBalanceRequest())
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            try console.write(text(of: answer.balance ?? Balance()))
        })

    /// A balance for people.
    static func text(of balance: Balance, indent: Int = 0) -> String {
        var pairs = [
            (name: "available", value: "\(Amount.credits(micros: balance.availableMicros)) credits"),
            (name: "held", value: "\(Amount.credits(micros: balance.heldMicros)) credits"),
            (name: "this month", value: "\(Amount.credits(micros: balance.thisMonthConsumedMicros)) credits used"),
            (name: "state", value: "\(balance.statusText) (\(balance.gaugePercent) %)"),
        ]
        if !balance.aiEnabled { pairs.append((name: "AI", value: "switched off")) }
        switch balance.limitState {
        case .softReached: pairs.append((name: "limit", value: "the soft limit is reached"))
        case .hardReached: pairs.append((name: "limit", value: "the hard limit is reached"))
        default: break
        }
        if balance.owedMicros > 0 {
            pairs.append((name: "owed", value: "\(Amount.credits(micros: balance.owedMicros)) credits"))
        }
        if let days = balance.estimatedDaysLeft { pairs.append((name: "lasts for", value: "about \(days) days")) }
        for kind in balance.byKind {
            let name = kinds.first { $0.kind == kind.kind }?.name ?? "other"
            let expiry = kind.nextExpireTime.map { ", the next expires \(timeText($0))" } ?? ""
            let refresh = kind.refreshTime.map { ", refreshed \(timeText($0))" } ?? ""
            let amount = Amount.credits(micros: kind.availableMicros)
            pairs.append((name: name, value: "\(amount) credits\(expiry)\(refresh)"))
        }
        return listing(pairs, indent: indent)
    }
}
