import Glibc

/// Runs this process's command line and ends the process with its exit status.
package func exitAfterCommandLine() -> Never {
    // A reader that went away is an error of the write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    let environment = Environment { name in
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }
    let program = Program(commands: Program.allCommands, console: Console(), environment: environment)
    exit(program.run(Array(CommandLine.arguments.dropFirst())))
}
