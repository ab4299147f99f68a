import Testing

@testable import FuzzTargets

/// What the fuzzer's targets promise, for the committed inputs and for many that are made of them. libFuzzer itself, which
/// looks at the code that runs, is `make fuzz`.
@Suite struct FuzzTests {
    /// Inputs of each target that are made of others.
    private static let madeInputs = 2_000

    @Test func `every promise holds for the committed inputs and for what is made of them`() {
        // Another one in each run: a failure names it.
        let seed = UInt64.random(in: 1 ... .max)
        var fileCount = 0
        var inputCount = 0
        for target in FuzzTarget.all {
            let files = Corpus.files(of: target.name)
            #expect(!files.isEmpty, "\(target.name) has no committed inputs")
            for file in files { expect(target, file.bytes, "Tests/Fuzz/Corpus/\(target.name)/\(file.name)") }
            let seeds = target.seeds()
            for bytes in seeds { expect(target, bytes, "a seed") }
            var mutator = Mutator(seed: seed, pool: seeds + files.map(\.bytes))
            for number in 0..<Self.madeInputs { expect(target, mutator.next(), "input \(number) of seed \(seed)") }
            fileCount += files.count
            inputCount += files.count + seeds.count + Self.madeInputs
        }
        print("covered: fuzz: \(FuzzTarget.all.count) targets, \(fileCount) corpus files, \(inputCount) inputs")
    }

    private func expect(_ target: FuzzTarget, _ bytes: [UInt8], _ origin: String) {
        do {
            try bytes.withUnsafeBytes { try target.check($0) }
        } catch {
            let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            Issue.record("\(target.name), \(origin): \(error); the input: \(digits)")
        }
    }

    /// What takes as long as the square of its input takes hours here, and no machine is so fast that it does not show.
    @Test(.timeLimit(.minutes(3))) func `a long input is read in time that its length accounts for`() {
        for target in FuzzTarget.all {
            let seed = target.seeds().max { $0.count < $1.count }!
            var long: [UInt8] = []
            while long.count < 1 << 17 { long += seed }
            expect(target, long, "its longest seed again and again")
        }
    }

    /// The targets must be able to fail: one that is given what it should refuse does.
    @Test func `a promise that does not hold is told`() {
        let target = FuzzTarget(name: "none", seeds: { [] }) { bytes in
            if bytes.count == 3 { throw BrokenPromise(description: "three bytes") }
        }
        let three: [UInt8] = [1, 2, 3]
        #expect(throws: BrokenPromise.self) { try three.withUnsafeBytes { try target.check($0) } }
        #expect(throws: Never.self) { try three.dropLast().withUnsafeBytes { try target.check($0) } }
    }
}
