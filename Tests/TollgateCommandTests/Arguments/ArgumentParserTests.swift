import Testing

@testable import TollgateCommand

/// The command line is read, or refused with a line that says what to do.
@Suite struct ArgumentParserTests {
    static let data = OptionSpec.value("--data", "DIR", "where", isRequired: true)
    static let limit = OptionSpec.value("--limit", "N", "how many", fallback: "10")
    static let key = OptionSpec.value("--key", "KEY", "the key", environment: "TEST_KEY")
    static let json = OptionSpec.toggle("--json", "as JSON")

    static let commands = [
        Subcommand(path: ["init"], summary: "Makes.", options: [data], work: .blocking({ _, _ in })),
        Subcommand(
            path: ["tenant", "create"], summary: "Makes a tenant.",
            positionals: [PositionalSpec(name: "TENANT", help: "its id")], options: [limit, key, json],
            work: .blocking({ _, _ in })),
        Subcommand(path: ["tenant", "list"], summary: "Lists tenants.", options: [json], work: .blocking({ _, _ in })),
    ]

    /// What became of a line, in a form that can be compared.
    func outcome(_ line: String, environment: [String: String] = [:]) -> String {
        let parser = ArgumentParser(commands: Self.commands, environment: Environment { environment[$0] })
        do throws(CommandError) {
            switch try parser.parse(line.split(separator: " ").map(String.init)) {
            case .help(let path): return "help " + path.joined(separator: " ")
            case .version: return "version"
            case .run(let command, let parsed):
                var text = "run \(command.name):"
                for positional in parsed.positionals { text += " [\(positional)]" }
                for option in command.options {
                    if option.value == nil {
                        text += parsed.has(option) ? " \(option.name)" : ""
                    } else if let value = parsed.value(option) {
                        text += " \(option.name)=\(value)"
                    }
                }
                return text
            }
        } catch {
            guard case .usage(let text, let command) = error else { return "\(error)" }
            return "wrong [\(command.joined(separator: " "))]: \(text)"
        }
    }

    @Test(arguments: [
        ("--help", "help "), ("-h", "help "), ("help", "help "), ("--version", "version"),
        ("help tenant", "help tenant"), ("help tenant create", "help tenant create"), ("tenant --help", "help tenant"),
        ("tenant create --help", "help tenant create"), ("tenant create a b c --help", "help tenant create"),
        ("tenant create --key --help", "run tenant create: --help"),
        ("init --help", "help init"),
        ("init --data /x", "run init: --data=/x"), ("init --data=/x", "run init: --data=/x"),
        ("init --data=a=b", "run init: --data=a=b"), ("init --data -", "run init: --data=-"),
        ("tenant create acme", "run tenant create: [acme] --limit=10"),
        ("tenant create --limit 3 acme --json", "run tenant create: [acme] --limit=3 --json"),
        ("tenant create -- --odd", "run tenant create: [--odd] --limit=10"),
        ("tenant list --json", "run tenant list: --json"),
    ])
    func whatIsRightIsRead(line: String, expected: String) {
        // An option's value is never taken for a request for help; a forgotten value is an error, though.
        let expected =
            line == "tenant create --key --help"
            ? "wrong [tenant create]: --key needs a value: --key KEY" : expected
        #expect(outcome(line) == expected)
    }

    @Test(arguments: [
        ("", "wrong []: no command given"),
        ("tenat list", "wrong []: unknown command 'tenat' (did you mean 'tenant'?)"),
        ("frobnicate", "wrong []: unknown command 'frobnicate'"),
        ("--verison", "wrong []: unknown option '--verison' (did you mean '--version'?)"),
        ("tenant", "wrong [tenant]: 'tenant' needs one of: create, list"),
        ("tenant crate x", "wrong [tenant]: unknown command 'tenant crate' (did you mean 'create'?)"),
        ("tenant create", "wrong [tenant create]: TENANT is missing"),
        ("tenant create a b", "wrong [tenant create]: 'b' is one argument too many"),
        ("tenant create a --jsno", "wrong [tenant create]: unknown option '--jsno' (did you mean '--json'?)"),
        ("tenant create a --json=1", "wrong [tenant create]: --json takes no value"),
        ("tenant create a --key", "wrong [tenant create]: --key needs a value: --key KEY"),
        ("tenant create a --key=", "wrong [tenant create]: --key needs a value: --key KEY"),
        ("tenant create a --key --json", "wrong [tenant create]: --key needs a value: --key KEY"),
        ("tenant create a --json --json", "wrong [tenant create]: --json is given twice: give it once"),
        ("tenant list x", "wrong [tenant list]: 'x' is one argument too many"),
        ("init", "wrong [init]: --data is missing: give --data DIR"),
        ("help frob", "wrong []: unknown command 'frob'"),
        ("help init now", "wrong []: help takes the words of one command"),
    ])
    func whatIsWrongIsRefusedWithAHint(line: String, expected: String) {
        #expect(outcome(line) == expected)
    }

    @Test func theEnvironmentStandsInForAnOption() {
        #expect(
            outcome("tenant create a", environment: ["TEST_KEY": "k1"]) == "run tenant create: [a] --limit=10 --key=k1")
        #expect(
            outcome("tenant create a --key k2", environment: ["TEST_KEY": "k1"])
                == "run tenant create: [a] --limit=10 --key=k2")
    }

    @Test(arguments: [("0", nil), ("x", nil), ("11", nil), ("1", 1), ("10", 10), ("99999999999999999999", nil)])
    func numbersStayWithinTheirBounds(text: String, expected: Int?) {
        let parsed = ParsedArguments(
            command: ["x"], positionals: [], values: ["--limit": text], toggles: [],
            environment: Environment { _ in nil })
        #expect((try? parsed.integer(Self.limit, in: 1...10)) == expected)
    }

    @Test func theHelpNamesEverything() {
        let help = HelpText(commands: Self.commands)
        for command in Self.commands { #expect(help.text(of: []).contains("  \(command.name)  ")) }
        let text = help.text(of: ["tenant", "create"])
        #expect(text.hasPrefix("Usage: tollgate tenant create TENANT [OPTIONS]\n\nMakes a tenant.\n"))
        #expect(text.contains("  TENANT  its id\n"))
        #expect(text.contains("  --limit N  how many (default 10)\n"))
        #expect(text.contains("  --key KEY  the key (else TEST_KEY)\n"))
        #expect(text.contains("  --json     as JSON\n"))
        #expect(help.text(of: ["tenant"]).contains("  tenant list    Lists tenants.\n"))
        #expect(help.text(of: ["init"]).hasPrefix("Usage: tollgate init --data DIR\n"))
    }

    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("", "ab", 2), ("json", "jsno", 1), ("kitten", "sitting", 3), ("data", "date", 1),
        ("abc", "abc", 0),
    ])
    func theDistanceOfWordsCountsTheirChanges(a: String, b: String, expected: Int) {
        #expect(editDistance(Array(a.utf8), Array(b.utf8)) == expected)
        #expect(editDistance(Array(b.utf8), Array(a.utf8)) == expected)
    }

    @Test func exitStatusesTellWrongUsageFromFailure() {
        #expect(CommandError.usage("x", command: ["a", "b"]).exitStatus == 2)
        #expect(CommandError.usage("x", command: ["a", "b"]).line == "tollgate: x; see 'tollgate a b --help'")
        #expect(CommandError.failed("y").exitStatus == 1)
        #expect(CommandError.failed("y").line == "tollgate: y")
        #expect(CommandError.outputClosed.exitStatus == 1)
        #expect(CommandError.outputClosed.line == nil)
    }
}
