/// The whole command: reads the line, runs what it asks for, and says in its exit status what came of it.
struct Program: Sendable {
    /// The version that `--version` shows.
    static let version = "0.1.0"

    /// Every command, in the order of the help.
    let commands: [Subcommand]
    /// Where results and messages go.
    let console: Console
    /// Where options look for what is not on the command line.
    let environment: Environment

    /// Runs the command line (without the program's name) and returns the exit status: 0 done, 1 failed, 2 wrong usage.
    func run(_ arguments: [String]) -> Int32 {
        do throws(CommandError) {
            switch try ArgumentParser(commands: commands, environment: environment).parse(arguments) {
            case .help(let path): try console.write(HelpText(commands: commands).text(of: path))
            case .version: try console.line("tollgate \(Self.version)")
            case .run(let command, let parsed):
                switch command.work {
                case .blocking(let body): try body(parsed, console)
                case .calls(let body):
                    try waitForTask { () async throws(CommandError) in try await body(parsed, console) }
                }
            }
            return 0
        } catch {
            if let line = error.line { console.message(line) }
            return error.exitStatus
        }
    }
}
