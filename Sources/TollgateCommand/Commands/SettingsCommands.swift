import Protobuf
import RPC
import TollgateClient

/// `tollgate settings …`: what a tenant decides for itself.
enum SettingsCommands {
    private static let reason = OptionSpec.value("--reason", "TEXT", "why, for the audit trail")
    private static let onOff = PositionalSpec(name: "on|off", help: "whether AI may be used")
    private static let feature = PositionalSpec(name: "FEATURE", help: "a feature of the rate card")
    private static let quality = PositionalSpec(
        name: "QUALITY", help: "cheap, medium or best; default for what the catalog's is")

    static let show = Subcommand(
        path: ["settings", "show"], summary: "Shows a tenant's settings, and how far along its limits are.",
        options: ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let connection = try ServerConnection(arguments, forTenant: true)
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await SettingsClient(channel).getSettings(GetSettingsRequest())
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            let settings = answer.settings ?? TenantSettings()
            var pairs = [(name: "AI", value: settings.aiEnabled ? "on" : "off")]
            for (feature, quality) in settings.qualities.sorted(by: { $0.key < $1.key }) {
                pairs.append((name: "quality of \(feature)", value: qualityName(quality)))
            }
            pairs.append((name: "changed", value: timeText(settings.updateTime)))
            try console.write(listing(pairs))
            if !answer.limits.isEmpty { try console.write("\n" + LimitText.table(answer.limits)) }
        })

    static let ai = Subcommand(
        path: ["settings", "ai"], summary: "Switches AI on or off for a whole tenant.",
        details: "While it is off nothing new is reserved; what is reserved can be committed and released.",
        positionals: [onOff], options: [reason] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let word = arguments.positionals[0]
            guard word == "on" || word == "off" else { throw arguments.wrong("\(quoted(word)) must be on or off") }
            let connection = try ServerConnection(arguments, forTenant: true)
            let request = SetAIEnabledRequest.with {
                $0.enabled = word == "on"
                $0.reason = arguments.value(reason) ?? ""
            }
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await SettingsClient(channel).setAIEnabled(request)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            try console.line("AI is \(answer.settings?.aiEnabled ?? false ? "on" : "off")")
        })

    static let setQuality = Subcommand(
        path: ["settings", "quality"], summary: "Sets the quality of a feature, for requests that name none.",
        positionals: [feature, quality], options: ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let word = arguments.positionals[1]
            guard let known = qualities.first(where: { $0.name == word }) else {
                let names = qualities.map(\.name).joined(separator: ", ")
                throw arguments.wrong("\(quoted(word)) must be one of: \(names)")
            }
            let connection = try ServerConnection(arguments, forTenant: true)
            let request = SetQualityRequest.with {
                $0.feature = arguments.positionals[0]
                $0.quality = known.quality
            }
            let answer = try await connection.call { (channel) async throws(RPCError) in
                try await SettingsClient(channel).setQuality(request)
            }
            if arguments.has(ServerConnection.json) { return try console.line(answer.jsonString()) }
            try console.line("the quality of \(printable(request.feature)) is \(word)")
        })

    private static let qualities: [(name: String, quality: Quality)] = [
        ("cheap", .cheap), ("medium", .medium), ("best", .best), ("default", .unspecified),
    ]

    private static func qualityName(_ quality: Quality) -> String {
        qualities.first { $0.quality == quality }?.name ?? "other"
    }
}
