/// One option that a command knows: `--name VALUE`, or `--name` alone for a switch.
struct OptionSpec: Sendable {
    /// The name with its dashes, such as `--data`.
    let name: String
    /// What stands for the value in the help, such as `DIR`; nil for a switch.
    let value: String?
    /// What it does: a phrase for the help.
    let help: String
    /// The environment variable that stands in where the option is absent.
    let environment: String?
    /// The value where neither is given.
    let fallback: String?
    /// Whether the command cannot do without.
    let isRequired: Bool

    private init(
        name: String, value: String?, help: String, environment: String?, fallback: String?, isRequired: Bool
    ) {
        self.name = name
        self.value = value
        self.help = help
        self.environment = environment
        self.fallback = fallback
        self.isRequired = isRequired
    }

    /// An option with a value.
    static func value(
        _ name: String, _ value: String, _ help: String, environment: String? = nil, fallback: String? = nil,
        isRequired: Bool = false
    ) -> OptionSpec {
        OptionSpec(
            name: name, value: value, help: help, environment: environment, fallback: fallback, isRequired: isRequired)
    }

    /// An option without a value: there or not.
    static func toggle(_ name: String, _ help: String) -> OptionSpec {
        OptionSpec(name: name, value: nil, help: help, environment: nil, fallback: nil, isRequired: false)
    }
}

/// One argument that a command takes by its place.
struct PositionalSpec: Sendable {
    /// What stands for it in the help, such as `TENANT`.
    let name: String
    /// What it is: a phrase for the help.
    let help: String
    /// Whether the command can do without.
    var isOptional = false
}
