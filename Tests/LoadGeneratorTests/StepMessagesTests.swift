import Protobuf
import Testing
import TollgateSchema

@testable import LoadGenerator

/// The requests and answers that are laid out and read by hand, against the schema's own code.
@Suite struct StepMessagesTests {
    private let id = StepIDs.ID(high: 0x0199_f0c2_5d4e_7a31, low: 0x9c0d_2b6f_1e8a_4477)
    private let idText = "0199f0c2-5d4e-7a31-9c0d-2b6f1e8a4477"

    private func expectedReserve(_ row: TraceRows.Row) -> ReserveRequest {
        .with {
            $0.reservationID = idText
            $0.feature = "chat"
            $0.quantities = ["context_tokens": row.context, "generated_tokens": TraceRows.generatedMax]
        }
    }

    private func expectedCommit(_ row: TraceRows.Row) -> CommitRequest {
        .with {
            $0.reservationID = idText
            $0.quantities = ["context_tokens": row.context, "generated_tokens": row.generated]
        }
    }

    private func written(_ template: StepTemplates.Template, tag: UInt16 = 0) -> [UInt8] {
        var buffer = ByteBuffer(capacity: 16)
        defer { buffer.deallocate() }
        template.append(to: &buffer, id: id, tag: tag)
        return Array(buffer.bytes)
    }

    /// The message behind a gRPC head that says its length.
    private func message(_ framed: [UInt8]) throws -> [UInt8] {
        try #require(framed.count >= 5 && framed[0] == 0)
        let length = framed[1..<5].reduce(0) { $0 << 8 | Int($1) }
        try #require(length == framed.count - 5)
        return Array(framed[5...])
    }

    @Test("the requests of every row are those that the schema makes", arguments: TraceRows.all.indices)
    func calls(row: Int) throws {
        let templates = StepTemplates(.call)
        defer { templates.deallocate() }
        let reserve = try ReserveRequest(wireBytes: message(written(templates.reserves[row])))
        #expect(reserve == expectedReserve(TraceRows.all[row]))
        let commit = try CommitRequest(wireBytes: message(written(templates.commits[row])))
        #expect(commit == expectedCommit(TraceRows.all[row]))
    }

    @Test("the same as elements of a Batch")
    func batch() throws {
        let templates = StepTemplates(.batch)
        defer { templates.deallocate() }
        let bytes = written(templates.reserves[0]) + written(templates.commits[1])
        let batch = try BatchRequest(wireBytes: bytes)
        #expect(
            batch.steps == [
                .with { $0.kind = .reserve(expectedReserve(TraceRows.all[0])) },
                .with { $0.kind = .commit(expectedCommit(TraceRows.all[1])) },
            ])
    }

    @Test(
        "the same on a Meter stream, with any tag that a lane may have", arguments: [128, 255, 300, 1_127] as [UInt16])
    func meter(tag: UInt16) throws {
        let templates = StepTemplates(.meter)
        defer { templates.deallocate() }
        let reserve = try MeterRequest(wireBytes: message(written(templates.reserves[2], tag: tag)))
        #expect(reserve.tag == UInt64(tag))
        #expect(reserve.step == .with { $0.kind = .reserve(expectedReserve(TraceRows.all[2])) })
        let commit = try MeterRequest(wireBytes: message(written(templates.commits[2], tag: tag)))
        #expect(commit.step == .with { $0.kind = .commit(expectedCommit(TraceRows.all[2])) })
    }

    // MARK: Answers

    private func rightReserve(_ row: TraceRows.Row) -> ReserveResponse {
        .with {
            $0.reservation = .with {
                $0.reservationID = idText
                $0.state = .open
                $0.feature = "chat"
                $0.heldMicros = row.heldMicros
                $0.expireTime = Timestamp(seconds: 1, nanos: 2)
                $0.quality = .medium
            }
            $0.balance = .with { $0.availableMicros = 5 }
            $0.reservedMicros = row.heldMicros
        }
    }

    private func rightCommit(_ row: TraceRows.Row) -> CommitResponse {
        .with {
            $0.reservation = .with {
                $0.reservationID = idText
                $0.state = .committed
                $0.committedMicros = row.chargedMicros
            }
            $0.balance = StepBalance()
            $0.chargedMicros = row.chargedMicros
        }
    }

    private func reserveFault(_ change: (inout ReserveResponse) -> Void) throws -> String? {
        var answer = rightReserve(TraceRows.all[3])
        change(&answer)
        return try answer.wireBytes().withUnsafeBytes { bytes in
            try StepAnswer(bytes).faultAsReserve(id: id, row: TraceRows.all[3])
        }
    }

    private func commitFault(_ change: (inout CommitResponse) -> Void) throws -> String? {
        var answer = rightCommit(TraceRows.all[3])
        change(&answer)
        return try answer.wireBytes().withUnsafeBytes { bytes in
            try StepAnswer(bytes).faultAsCommit(id: id, row: TraceRows.all[3])
        }
    }

    @Test("a right answer has no fault, also with fields of a newer schema")
    func rightAnswers() throws {
        #expect(try reserveFault { _ in } == nil)
        #expect(try commitFault { _ in } == nil)
        let newer = rightReserve(TraceRows.all[3]).wireBytes() + [30 << 3 & 0x7F | 0x80 | 5, 1, 1, 2, 3, 4]
        let fault = try newer.withUnsafeBytes { try StepAnswer($0).faultAsReserve(id: id, row: TraceRows.all[3]) }
        #expect(fault == nil)
    }

    @Test("whatever is wrong with a Reserve's answer is seen")
    func wrongReserves() throws {
        #expect(try reserveFault { $0.reservation?.reservationID = "x" }?.contains("another reservation") == true)
        #expect(try reserveFault { $0.reservation = nil }?.contains("another reservation") == true)
        #expect(try reserveFault { $0.replayed = true }?.contains("replayed") == true)
        #expect(try reserveFault { $0.balance = nil }?.contains("no balance") == true)
        #expect(try reserveFault { $0.reservation?.state = .committed }?.contains("state 2") == true)
        #expect(try reserveFault { $0.reservation?.heldMicros -= 1 } != nil)
        #expect(try reserveFault { $0.reservation?.committedMicros = 1 } != nil)
        #expect(try reserveFault { $0.reservedMicros += 1 } != nil)
    }

    @Test("whatever is wrong with a Commit's answer is seen")
    func wrongCommits() throws {
        #expect(try commitFault { $0.reservation?.reservationID = "x" }?.contains("another reservation") == true)
        #expect(try commitFault { $0.replayed = true }?.contains("replayed") == true)
        #expect(try commitFault { $0.balance = nil }?.contains("no balance") == true)
        #expect(try commitFault { $0.reservation?.state = .open } != nil)
        #expect(try commitFault { $0.reservation?.heldMicros = 1 } != nil)
        #expect(try commitFault { $0.reservation?.committedMicros += 1 } != nil)
        #expect(try commitFault { $0.chargedMicros -= 1 } != nil)
    }

    @Test("bytes that are no message are an error, never a right answer")
    func malformed() {
        for bytes in [[0x0A], [0x0A, 0x05, 0x01], [0x07], [0x0B, 0x0C], [0x18, 0xFF]] as [[UInt8]] {
            #expect(throws: WireError.self, "\(bytes)") { try bytes.withUnsafeBytes { _ = try StepAnswer($0) } }
        }
    }

    @Test("the result of a step says of which kind it is, or why it was refused")
    func results() throws {
        let pairs = StepPairs(places: 1, framing: .batch)
        var buffer = ByteBuffer(capacity: 16)
        defer { buffer.deallocate() }
        pairs.append(0, to: &buffer, nowNs: monotonicNs())
        func fault(_ result: StepResult) throws -> String? {
            try result.wireBytes().withUnsafeBytes { try StepResultReader.fault($0, of: 0, pairs) }
        }
        #expect(try fault(StepResult())?.contains("empty") == true)
        #expect(try fault(.with { $0.kind = .commit(CommitResponse()) })?.contains("another kind") == true)
        #expect(try fault(.with { $0.kind = .reserve(ReserveResponse()) })?.contains("another reservation") == true)
    }
}
