/// Writes the help: of all commands, of a group such as `tenant`, or of one command.
struct HelpText {
    let commands: [Subcommand]

    /// The help of these words.
    func text(of path: [String]) -> String {
        if let command = commands.first(where: { $0.path == path }) { return text(of: command) }
        return path.isEmpty ? overview : group(path[0])
    }

    private var overview: String {
        """
        Tollgate meters AI credits: reserve before a call, commit what was used, never below zero.

        Usage: tollgate COMMAND [OPTIONS]

        Commands:
        \(listing(commands))

        'tollgate COMMAND --help' tells more about one of them; '--version' shows the version.

        Commands that talk to a server find it by --server and --key, or by TOLLGATE_SERVER and TOLLGATE_KEY.
        Exit status: 0 done, 1 failed, 2 wrong usage.

        """
    }

    private func group(_ word: String) -> String {
        """
        Usage: tollgate \(word) COMMAND [OPTIONS]

        Commands:
        \(listing(commands.filter { $0.path[0] == word }))

        'tollgate \(word) COMMAND --help' tells more about one of them.

        """
    }

    private func listing(_ commands: [Subcommand]) -> String {
        let width = commands.map(\.name.count).max() ?? 0
        return commands.map { "  " + padded($0.name, to: width) + "  " + $0.summary }.joined(separator: "\n")
    }

    private func text(of command: Subcommand) -> String {
        var usage = "Usage: tollgate \(command.name)"
        for positional in command.positionals {
            usage += positional.isOptional ? " [\(positional.name)]" : " \(positional.name)"
        }
        for option in command.options where option.isRequired { usage += " \(signature(of: option))" }
        if command.options.contains(where: { !$0.isRequired }) { usage += " [OPTIONS]" }
        var text = usage + "\n\n" + command.summary + "\n"
        if !command.details.isEmpty { text += "\n" + command.details + "\n" }
        let positionals = command.positionals.map { ($0.name, $0.help) }
        if !positionals.isEmpty { text += "\nArguments:\n" + columns(positionals) }
        let options = command.options.map { (signature(of: $0), $0.help + defaults(of: $0)) }
        text += "\nOptions:\n" + columns(options + [("--help", "show this text")])
        return text
    }

    private func signature(of option: OptionSpec) -> String {
        option.value.map { "\(option.name) \($0)" } ?? option.name
    }

    /// What stands in for an option that is not given.
    private func defaults(of option: OptionSpec) -> String {
        var parts: [String] = []
        if let variable = option.environment { parts.append("else \(variable)") }
        if let fallback = option.fallback { parts.append("default \(fallback)") }
        return parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))"
    }

    private func columns(_ rows: [(String, String)]) -> String {
        let width = rows.map { $0.0.count }.max() ?? 0
        return rows.map { "  " + padded($0.0, to: width) + "  " + $0.1 + "\n" }.joined()
    }
}
