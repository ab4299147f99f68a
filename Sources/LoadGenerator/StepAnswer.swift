import Protobuf

/// What a ReserveResponse or a CommitResponse says, as far as a run checks it. Nothing is copied out of the bytes.
package struct StepAnswer {
    package private(set) var reservationID = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var state: UInt64 = 0
    package private(set) var heldMicros: Int64 = 0
    package private(set) var committedMicros: Int64 = 0
    package private(set) var hasBalance = false
    package private(set) var isReplayed = false
    /// What this step held or charged.
    package private(set) var amountMicros: Int64 = 0

    private static let open: UInt64 = 1
    private static let committed: UInt64 = 2

    /// Reads the answer of either kind: the fields that count have the same numbers in both.
    package init(_ message: UnsafeRawBufferPointer) throws(WireError) {
        var reader = try WireReader(message)
        while let tag = try reader.nextTag() {
            switch tag {
            case 1 << 3 | 2: try readReservation(try reader.lengthDelimited())
            case 2 << 3 | 2:
                hasBalance = true
                _ = try reader.lengthDelimited()
            case 3 << 3: isReplayed = try reader.bool()
            case 4 << 3: amountMicros = try reader.int64()
            default: try reader.pass(tag)
            }
        }
    }

    private mutating func readReservation(_ message: UnsafeRawBufferPointer) throws(WireError) {
        var reader = try WireReader(message)
        while let tag = try reader.nextTag() {
            switch tag {
            case 1 << 3 | 2: reservationID = try reader.lengthDelimited()
            case 2 << 3: state = try reader.uint64()
            case 5 << 3: heldMicros = try reader.int64()
            case 6 << 3: committedMicros = try reader.int64()
            default: try reader.pass(tag)
            }
        }
    }

    /// What is wrong with this as the answer of the first time to a Reserve; nil where nothing is.
    func faultAsReserve(id: StepIDs.ID, row: TraceRows.Row) -> String? {
        if state == Self.open, heldMicros == row.heldMicros, committedMicros == 0, amountMicros == row.heldMicros,
            hasBalance, !isReplayed, id.isText(reservationID)
        {
            return nil
        }
        return fault(of: "Reserve", id, expected: "state \(Self.open), \(row.heldMicros) held, 0 committed")
    }

    /// What is wrong with this as the answer of the first time to a Commit; nil where nothing is.
    func faultAsCommit(id: StepIDs.ID, row: TraceRows.Row) -> String? {
        if state == Self.committed, heldMicros == 0, committedMicros == row.chargedMicros,
            amountMicros == row.chargedMicros, hasBalance, !isReplayed, id.isText(reservationID)
        {
            return nil
        }
        return fault(of: "Commit", id, expected: "state \(Self.committed), 0 held, \(row.chargedMicros) committed")
    }

    private func fault(of step: String, _ id: StepIDs.ID, expected: String) -> String {
        if !id.isText(reservationID) { return "\(step): the answer is about another reservation" }
        if isReplayed { return "\(step): the answer says that it was replayed" }
        if !hasBalance { return "\(step): the answer has no balance" }
        return "\(step): state \(state), \(heldMicros) held, \(committedMicros) committed, \(amountMicros) moved; "
            + "expected \(expected)"
    }
}

/// One step's result in the answer to a Batch or on a Meter stream.
enum StepResultReader {
    /// What is wrong with a StepResult as the answer to a place's step; nil where nothing is.
    static func fault(_ message: UnsafeRawBufferPointer, of place: Int, _ pairs: StepPairs) throws(WireError) -> String?
    {
        var reader = try WireReader(message)
        guard let tag = try reader.nextTag() else { return "a step's result is empty" }
        let answer = try reader.lengthDelimited()
        // Reserve and Commit are fields 1 and 2, as among the steps; an error is field 15.
        switch tag {
        case pairs.isOpen(place) ? 2 << 3 | 2 : 1 << 3 | 2: return pairs.fault(place, try StepAnswer(answer))
        case 15 << 3 | 2: return try errorText(answer)
        default: return "a step's result is of another kind than the step"
        }
    }

    /// The code and the message of a google.rpc.Status.
    private static func errorText(_ status: UnsafeRawBufferPointer) throws(WireError) -> String {
        var reader = try WireReader(status)
        var code: Int32 = 0
        var message = ""
        while let tag = try reader.nextTag() {
            switch tag {
            case 1 << 3: code = try reader.int32()
            case 2 << 3 | 2: message = try reader.string()
            default: try reader.pass(tag)
            }
        }
        return "a step was refused with status \(code) \(message)"
    }
}

extension WireReader {
    /// Goes past a field that is of no interest, without keeping it.
    @inline(__always)
    mutating func pass(_ tag: UInt32) throws(WireError) {
        switch tag & 7 {
        case 0: _ = try uint64()
        case 1: _ = try fixed64()
        case 2: _ = try lengthDelimited()
        case 5: _ = try fixed32()
        default: throw .invalidTag
        }
    }
}
