/// What a command line says to one command, checked against what that command knows.
struct ParsedArguments: Sendable {
    /// The command's words, for messages about wrong values.
    let command: [String]
    /// The arguments by place; no more than the command takes, no fewer than it needs.
    let positionals: [String]
    private let values: [String: String]
    private let toggles: Set<String>
    private let environment: Environment

    init(
        command: [String], positionals: [String], values: [String: String], toggles: Set<String>,
        environment: Environment
    ) {
        self.command = command
        self.positionals = positionals
        self.values = values
        self.toggles = toggles
        self.environment = environment
    }

    /// The option's value: from the command line, else from the environment, else its default.
    func value(_ option: OptionSpec) -> String? {
        values[option.name] ?? option.environment.flatMap(environment.value) ?? option.fallback
    }

    /// The value of an option that the command cannot do without.
    func required(_ option: OptionSpec) throws(CommandError) -> String {
        if let value = value(option) { return value }
        let other = option.environment.map { " or set \($0)" } ?? ""
        throw wrong("\(option.name) is missing: give \(option.name) \(option.value ?? "")\(other)")
    }

    /// Whether a switch is there.
    func has(_ option: OptionSpec) -> Bool { toggles.contains(option.name) }

    /// A whole number within bounds.
    func integer(_ option: OptionSpec, in range: ClosedRange<Int>) throws(CommandError) -> Int? {
        guard let text = value(option) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw wrong(
                "\(option.name) \(quoted(text)) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A wrong usage of this command.
    func wrong(_ text: String) -> CommandError { .usage(text, command: command) }
}

/// The variables that the process was started with; a test hands in its own.
struct Environment: Sendable {
    /// The variable of that name; nil where it is not set or empty.
    let value: @Sendable (String) -> String?
}

/// Quotes what a user typed, cut to what fits on a line.
func quoted(_ text: some StringProtocol) -> String {
    let printable = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : Character($0) }
    return printable.count > 80 ? "'\(String(printable.prefix(80)))…'" : "'\(String(printable))'"
}
