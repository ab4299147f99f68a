import Protobuf
import Testing
import TollgateClient

@testable import TollgateCommand

/// What a line makes of one limit, beside those that are there.
@Suite struct LimitCommandTests {
    private func change(_ line: String) throws(CommandError) -> LimitCommand.Change? {
        let words = ["settings", "limits", "--key", "k"] + line.split(separator: " ").map(String.init)
        let parser = ArgumentParser(commands: Program.allCommands, environment: Environment { _ in nil })
        guard case .run(_, let arguments) = try parser.parse(words) else { return nil }
        return try LimitCommand.Change(arguments)
    }

    private let tenant = UsageLimit.with {
        $0.scope = .tenant
        $0.window = .cycle
        $0.hardMicros = 7
        $0.enforce = true
    }

    @Test func withoutABoundNothingIsChanged() throws {
        #expect(try change("") == nil)
        #expect(try change("--member ann --window day") == nil)
    }

    @Test func aLimitIsAddedToTheOthers() throws {
        let limits = try #require(try change("--member ann --feature chat --window day --soft 70% --hard 1,000.5"))
            .applied(to: [tenant])
        let added = UsageLimit.with {
            $0.scope = .memberFeature
            $0.subject = "ann"
            $0.feature = "chat"
            $0.window = .day
            $0.softPercent = 70
            $0.hardMicros = 1_000_500_000
            $0.enforce = true
        }
        #expect(limits == [tenant, added])
    }

    @Test func aLimitTakesThePlaceOfTheOneBefore() throws {
        let limits = try #require(try change("--hard 90% --on-trial")).applied(to: [tenant])
        #expect(limits.map(\.hardPercent) == [90])
        #expect(limits.map(\.enforce) == [false])
        #expect(try #require(try change("--remove")).applied(to: [tenant]) == [])
        #expect(try #require(try change("--remove --feature chat")).applied(to: [tenant]) == [tenant])
    }

    @Test(arguments: [
        "--soft x", "--soft 0", "--hard 0%", "--hard 1001%", "--hard 5 --window year", "--remove --soft 1",
        "--on-trial",
    ])
    func whatIsWrongIsRefused(line: String) {
        #expect(failure { () throws(CommandError) in try change(line) }?.exitStatus == 2)
    }
}
