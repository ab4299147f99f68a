import Protobuf
import RPC
import TollgateClient

/// `tollgate settings limits`: shows a tenant's limits, and sets or removes one of them.
enum LimitCommand {
    private static let member = OptionSpec.value("--member", "MEMBER", "a limit for this member alone")
    private static let feature = OptionSpec.value("--feature", "FEATURE", "a limit for this feature alone")
    private static let window = OptionSpec.value("--window", "WINDOW", "day, week or cycle", fallback: "cycle")
    private static let soft = OptionSpec.value(
        "--soft", "AMOUNT", "where who is to know is told: credits such as 500, or 70% of the cycle's allowance")
    private static let hard = OptionSpec.value(
        "--hard", "AMOUNT", "beyond which use is refused: credits, or percent such as 90%")
    private static let onTrial = OptionSpec.toggle(
        "--on-trial", "refuse nothing, and note in the audit trail what would have been refused")
    private static let remove = OptionSpec.toggle("--remove", "remove the limit")

    static let limits = Subcommand(
        path: ["settings", "limits"], summary: "Shows the limits of a tenant's use; sets or removes one.",
        details: """
            Without --soft, --hard and --remove it shows them. With these it sets or removes the one
            limit for the tenant, or for --member, --feature or both, in the window; the others stay.
            """,
        options: [member, feature, window, soft, hard, onTrial, remove] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let change = try Change(arguments)
            let connection = try ServerConnection(arguments, forTenant: true)
            if let change {
                let before = try await settings(connection).settings?.limits ?? []
                let request = SetLimitsRequest.with { $0.limits = change.applied(to: before) }
                _ = try await connection.call { (channel) async throws(RPCError) in
                    try await SettingsClient(channel).setLimits(request)
                }
            }
            let answer = try await settings(connection)
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            if answer.limits.isEmpty { return try console.line("no limits") }
            try console.write(LimitText.table(answer.limits))
        })

    private static func settings(_ connection: ServerConnection) async throws(CommandError) -> GetSettingsResponse {
        try await connection.call { (channel) async throws(RPCError) in
            try await SettingsClient(channel).getSettings(GetSettingsRequest())
        }
    }

    /// What becomes of one limit.
    struct Change {
        private let limit: UsageLimit
        private let isRemoval: Bool

        /// Nil where the line asks for none.
        init?(_ arguments: ParsedArguments) throws(CommandError) {
            isRemoval = arguments.has(remove)
            let bounds = [soft, hard].filter { arguments.value($0) != nil }
            guard isRemoval || !bounds.isEmpty else {
                if arguments.has(onTrial) { throw arguments.wrong("--on-trial needs --hard") }
                return nil
            }
            if isRemoval, let bound = bounds.first {
                throw arguments.wrong("\(bound.name) has no meaning beside --remove")
            }
            let (member, feature) = (arguments.value(member) ?? "", arguments.value(feature) ?? "")
            var limit = UsageLimit()
            (limit.scope, limit.subject) =
                switch (member.isEmpty, feature.isEmpty) {
                case (true, true): (.tenant, "")
                case (false, true): (.member, member)
                case (true, false): (.feature, feature)
                case (false, false): (.memberFeature, member)
                }
            if limit.scope == .memberFeature { limit.feature = feature }
            let name = arguments.value(window) ?? ""
            guard let known = LimitText.windows.first(where: { $0.name == name }) else {
                throw arguments.wrong("--window \(quoted(name)) must be day, week or cycle")
            }
            limit.window = known.window
            (limit.softMicros, limit.softPercent) = try Self.bound(soft, arguments)
            (limit.hardMicros, limit.hardPercent) = try Self.bound(hard, arguments)
            limit.enforce = !arguments.has(onTrial)
            self.limit = limit
        }

        /// The limits with the change made: the one that counts for the same goes.
        func applied(to limits: [UsageLimit]) -> [UsageLimit] {
            let others = limits.filter {
                ($0.scope, $0.window, $0.subject, $0.feature)
                    != (limit.scope, limit.window, limit.subject, limit.feature)
            }
            return isRemoval ? others : others + [limit]
        }

        private static func bound(
            _ option: OptionSpec, _ arguments: ParsedArguments
        ) throws(CommandError) -> (micros: Int64, percent: Int32) {
            guard let text = arguments.value(option) else { return (0, 0) }
            if text.hasSuffix("%"), let percent = Int32(text.dropLast()), (1...1_000).contains(percent) {
                return (0, percent)
            }
            guard let micros = Amount.micros(credits: text) else {
                throw arguments.wrong(
                    "\(option.name) \(quoted(text)) must be credits such as 500, or percent such as 90%")
            }
            return (micros, 0)
        }
    }
}

/// Limits for people.
enum LimitText {
    static let windows: [(name: String, window: LimitWindow)] = [("day", .day), ("week", .week), ("cycle", .cycle)]

    static func table(_ limits: [LimitStatus]) -> String {
        var table = Table([
            ("FOR", .left), ("WINDOW", .left), ("SOFT", .right), ("HARD", .right), ("USED", .right), ("HELD", .right),
            ("STATE", .left), ("UNTIL", .left),
        ])
        for status in limits {
            let limit = status.limit ?? UsageLimit()
            table.add([
                subject(of: limit), windows.first { $0.window == limit.window }?.name ?? "other",
                bound(limit.softMicros, limit.softPercent), bound(limit.hardMicros, limit.hardPercent),
                Amount.credits(micros: status.consumedMicros), Amount.credits(micros: status.heldMicros),
                state(of: status), timeText(status.windowEndTime),
            ])
        }
        return table.text
    }

    private static func subject(of limit: UsageLimit) -> String {
        switch limit.scope {
        case .tenant: "the tenant"
        case .member: "member \(limit.subject)"
        case .feature: "feature \(limit.subject)"
        default: "member \(limit.subject), feature \(limit.feature)"
        }
    }

    private static func bound(_ micros: Int64, _ percent: Int32) -> String {
        percent > 0 ? "\(percent)%" : micros > 0 ? Amount.credits(micros: micros) : "-"
    }

    private static func state(of status: LimitStatus) -> String {
        let state =
            switch status.state {
            case .softReached: "soft reached"
            case .hardReached: "hard reached"
            default: "below"
            }
        guard status.limit?.enforce == false else { return state }
        return "\(state), on trial: \(grouped(status.wouldHaveRefused)) would have been refused"
    }
}
