/// One command of `tollgate`: its words, what it takes, what it says about itself, and what it does.
struct Subcommand: Sendable {
    /// The words that choose it, such as `["tenant", "create"]`.
    let path: [String]
    /// What it does, in one line.
    let summary: String
    /// What more there is to know, in lines of at most 80 characters; may be empty.
    var details = ""
    /// The arguments that it takes by place.
    var positionals: [PositionalSpec] = []
    /// The options that it takes, in the order of the help.
    var options: [OptionSpec] = []
    /// Does what it is for.
    let work: Work

    /// What a command does, and where.
    enum Work: Sendable {
        /// Runs on the main thread, which it may block, before any other thread was started.
        case blocking(@Sendable (ParsedArguments, Console) throws(CommandError) -> Void)
        /// Runs as a task, as calls to a server want it.
        case calls(@Sendable (ParsedArguments, Console) async throws(CommandError) -> Void)
    }

    /// The words as they are typed.
    var name: String { path.joined(separator: " ") }
}
