import Protobuf
import SeededRandom

extension SeededRandom {
    /// A message with any of its fields set, holding itself at most `depth` times. Without `packs`, it and those inside hold
    /// no packed message, whose type other programs would have to know to show it.
    mutating func allTypes(depth: Int = 2, packs: Bool = true) -> AllTypes {
        AllTypes.with { message in
            scalars(&message)
            optionals(&message)
            messages(&message, depth: depth, packs: packs)
            numbers(&message)
            collections(&message)
            if oneIn(2) { message.choice = choice(depth: depth, packs: packs) }
        }
    }

    /// Sets some of the fields without presence.
    private mutating func scalars(_ message: inout AllTypes) {
        if oneIn(2) { message.doubleValue = double() }
        if oneIn(2) { message.floatValue = float() }
        if oneIn(2) { message.int32Value = integer() }
        if oneIn(2) { message.int64Value = integer() }
        if oneIn(2) { message.uint32Value = integer() }
        if oneIn(2) { message.uint64Value = integer() }
        if oneIn(2) { message.sint32Value = integer() }
        if oneIn(2) { message.sint64Value = integer() }
        if oneIn(2) { message.fixed32Value = integer() }
        if oneIn(2) { message.fixed64Value = integer() }
        if oneIn(2) { message.sfixed32Value = integer() }
        if oneIn(2) { message.sfixed64Value = integer() }
        message.boolValue = oneIn(2)
        if oneIn(2) { message.stringValue = text() }
        if oneIn(2) { message.bytesValue = bytes() }
        if oneIn(2) { message.color = color() }
        if oneIn(3) { message.last = integer() }
    }

    /// Sets some of the fields with presence, to their defaults too.
    private mutating func optionals(_ message: inout AllTypes) {
        if oneIn(2) { message.maybeInt32 = oneIn(2) ? 0 : integer() }
        if oneIn(2) { message.maybeString = oneIn(2) ? "" : text() }
        if oneIn(2) { message.maybeBytes = oneIn(2) ? [] : bytes() }
        if oneIn(2) { message.maybeBool = oneIn(2) }
        if oneIn(2) { message.maybeDouble = oneIn(2) ? 0 : double() }
        if oneIn(2) { message.maybeColor = oneIn(2) ? .unspecified : color() }
    }

    private mutating func messages(_ message: inout AllTypes, depth: Int, packs: Bool) {
        if oneIn(2) { message.inner = inner() }
        if depth > 0, oneIn(3) { message.child = allTypes(depth: depth - 1, packs: packs) }
        if oneIn(2) {
            message.time = Timestamp(
                seconds: Int64.random(in: -62_135_596_800...253_402_300_799, using: &self), nanos: nanos())
        }
        if oneIn(2) {
            let sign: Int32 = oneIn(2) ? -1 : 1
            let seconds = Int64(sign) * Int64.random(in: 0...315_576_000_000, using: &self)
            message.span = ProtoDuration(seconds: seconds, nanos: sign * nanos())
        }
        if packs, oneIn(3) {
            message.any = ProtoAny()
            message.any?.typeURL = "example.com/unknown.Type"
            message.any?.value = bytes()
        }
        if oneIn(2) { message.empty = Empty() }
    }

    private mutating func numbers(_ message: inout AllTypes) {
        message.doubles = list { $0.double() }
        message.floats = list { $0.float() }
        message.int32s = list { $0.integer() }
        message.int64s = list { $0.integer() }
        message.uint32s = list { $0.integer() }
        message.uint64s = list { $0.integer() }
        message.sint32s = list { $0.integer() }
        message.sint64s = list { $0.integer() }
        message.fixed32s = list { $0.integer() }
        message.fixed64s = list { $0.integer() }
        message.sfixed32s = list { $0.integer() }
        message.sfixed64s = list { $0.integer() }
        message.bools = list { $0.oneIn(2) }
        message.colors = list { $0.color() }
        message.unpacked = list { $0.integer() }
    }

    private mutating func collections(_ message: inout AllTypes) {
        message.strings = list { $0.text() }
        message.blobs = list { $0.bytes() }
        message.inners = list { $0.inner() }
        message.counts = map { ($0.text(maxCount: 4), $0.integer()) }
        message.names = map { ($0.integer(), $0.text()) }
        message.byFlag = map { ($0.oneIn(2), $0.color()) }
        message.innerByID = map { ($0.text(maxCount: 4), $0.inner()) }
        message.blobByNumber = map { ($0.integer(), $0.bytes()) }
        message.weights = map { ($0.integer(), $0.double()) }
    }

    private mutating func choice(depth: Int, packs: Bool) -> AllTypes.Choice {
        switch Int.random(in: 0..<6, using: &self) {
        case 0: .choiceNumber(oneIn(2) ? 0 : integer())
        case 1: .choiceText(text())
        case 2: .choiceInner(inner())
        case 3: depth > 0 ? .choiceSelf(allTypes(depth: depth - 1, packs: packs)) : .choiceInner(inner())
        case 4: .choiceColor(color())
        default: .choiceBytes(bytes())
        }
    }

    private mutating func inner() -> AllTypes.Inner {
        AllTypes.Inner.with { inner in
            if oneIn(2) { inner.default = text() }
            if oneIn(2) { inner.selfField = integer() }
            if oneIn(2) { inner.reader = integer() }
            inner.writer = oneIn(2)
            inner.tag = list { $0.integer() }
            inner.level = oneIn(2) ? .high : .unknown
        }
    }

    /// A named colour, or a number without a name.
    private mutating func color() -> Color {
        Color(rawValue: oneIn(3) ? integer() : [0, 1, 5, -1].randomElement(using: &self)!)
    }

    private mutating func nanos() -> Int32 {
        [0, 500_000_000, 1_000, 1, 999_999_999].randomElement(using: &self)!
    }

    private mutating func map<K: Hashable, V>(_ make: (inout SeededRandom) -> (K, V)) -> [K: V] {
        Dictionary(list(make), uniquingKeysWith: { first, _ in first })
    }
}
