/// Reads a command line: chooses the command by its words, then its options and arguments.
struct ArgumentParser {
    /// What a command line asks for.
    enum Request {
        /// Run this.
        case run(Subcommand, ParsedArguments)
        /// Show the help of these words; none for the whole.
        case help([String])
        /// Show the version.
        case version
    }

    /// Every command there is.
    let commands: [Subcommand]
    /// Where options look for what is not on the command line.
    let environment: Environment

    /// What the arguments (without the program's name) ask for.
    func parse(_ arguments: [String]) throws(CommandError) -> Request {
        guard let first = arguments.first else {
            throw .usage("no command given", command: [])
        }
        switch first {
        case "--help", "-h": return .help([])
        case "--version": return .version
        case "help": return .help(try topic(Array(arguments.dropFirst())))
        default: break
        }
        if first.hasPrefix("-") {
            throw .usage(
                "unknown option \(quoted(first))" + suggestion(first, among: ["--help", "--version"]), command: [])
        }
        let (path, rest) = try choose(arguments)
        guard let command = commands.first(where: { $0.path == path }) else { return .help(path) }
        if asksForHelp(rest, of: command) { return .help(path) }
        return .run(command, try parse(rest, of: command))
    }

    /// The words of the command at the front of the line, and what follows them. Words of a group alone are returned
    /// only where help is asked for.
    private func choose(_ arguments: [String]) throws(CommandError) -> ([String], ArraySlice<String>) {
        let first = arguments[0]
        let group = commands.filter { $0.path[0] == first }
        if group.isEmpty {
            let known = commands.map { $0.path[0] } + ["help"]
            throw .usage("unknown command \(quoted(first))" + suggestion(first, among: known), command: [])
        }
        if group[0].path.count == 1 { return ([first], arguments.dropFirst()) }
        let words = group.map { $0.path[1] }
        guard arguments.count > 1 else {
            throw .usage("\(quoted(first)) needs one of: \(words.joined(separator: ", "))", command: [first])
        }
        let second = arguments[1]
        if second == "--help" || second == "-h" { return ([first], []) }
        guard words.contains(second) else {
            throw .usage(
                "unknown command \(quoted("\(first) \(second)"))" + suggestion(second, among: words), command: [first])
        }
        return ([first, second], arguments.dropFirst(2))
    }

    /// The words after `help`, checked.
    private func topic(_ words: [String]) throws(CommandError) -> [String] {
        guard !words.isEmpty, words != ["help"] else { return [] }
        if words.count == 1, commands.contains(where: { $0.path[0] == words[0] }) { return words }
        let (path, rest) = try choose(words)
        guard rest.isEmpty else { throw .usage("help takes the words of one command", command: []) }
        return path
    }

    /// Whether `--help` stands among a command's own arguments, and not as the value of an option.
    private func asksForHelp(_ arguments: ArraySlice<String>, of command: Subcommand) -> Bool {
        var skipsNext = false
        for argument in arguments {
            if skipsNext {
                skipsNext = false
                continue
            }
            switch argument {
            case "--": return false
            case "--help", "-h": return true
            default: skipsNext = command.options.contains { $0.name == argument && $0.value != nil }
            }
        }
        return false
    }

    /// Reads a command's own arguments.
    private func parse(_ arguments: ArraySlice<String>, of command: Subcommand) throws(CommandError) -> ParsedArguments
    {
        var values: [String: String] = [:]
        var toggles: Set<String> = []
        var positionals: [String] = []
        var rest = arguments
        var optionsEnded = false
        while let argument = rest.popFirst() {
            if optionsEnded || argument == "-" || !argument.hasPrefix("-") {
                positionals.append(argument)
                continue
            }
            if argument == "--" {
                optionsEnded = true
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard let option = command.options.first(where: { $0.name == name }) else {
                let known = command.options.map(\.name) + ["--help"]
                throw .usage("unknown option \(quoted(name))" + suggestion(name, among: known), command: command.path)
            }
            guard values[name] == nil, !toggles.contains(name) else {
                throw .usage("\(name) is given twice: give it once", command: command.path)
            }
            guard let placeholder = option.value else {
                guard parts.count == 1 else { throw .usage("\(name) takes no value", command: command.path) }
                toggles.insert(name)
                continue
            }
            // A value that looks like an option is one that was forgotten; `--name=-x` says that it is meant.
            let following = parts.count == 2 ? String(parts[1]) : rest.first.flatMap { $0.hasPrefix("--") ? nil : $0 }
            guard let value = following, !value.isEmpty else {
                throw .usage("\(name) needs a value: \(name) \(placeholder)", command: command.path)
            }
            if parts.count == 1 { rest = rest.dropFirst() }
            values[name] = value
        }
        try check(positionals, of: command)
        let parsed = ParsedArguments(
            command: command.path, positionals: positionals, values: values, toggles: toggles, environment: environment)
        for option in command.options where option.isRequired { _ = try parsed.required(option) }
        return parsed
    }

    /// Refuses too few and too many arguments.
    private func check(_ positionals: [String], of command: Subcommand) throws(CommandError) {
        let needed = command.positionals.prefix { !$0.isOptional }.count
        if positionals.count < needed {
            throw .usage("\(command.positionals[positionals.count].name) is missing", command: command.path)
        }
        if positionals.count > command.positionals.count {
            throw .usage(
                "\(quoted(positionals[command.positionals.count])) is one argument too many", command: command.path)
        }
    }
}
