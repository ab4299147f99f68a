extension WireReader {
    /// Makes the message whose length comes next the innermost one and returns the end of the one around it.
    @inlinable
    mutating func enter() throws(WireError) -> UnsafeRawPointer {
        let length = try uint64()
        guard length <= UInt64(remaining) else { throw .truncated }
        guard depthLeft > 0 else { throw .tooDeep }
        guard nestedLeft > 0 else { throw .tooLarge }
        depthLeft -= 1
        nestedLeft -= 1
        let outerEnd = end
        end = position + Int(length)
        return outerEnd
    }

    /// Goes back to the message around this one, which was read to its end.
    @inlinable
    mutating func leave(_ outerEnd: UnsafeRawPointer) {
        end = outerEnd
        depthLeft += 1
    }

    /// Merges a nested message into one that may have been read in part before.
    @inlinable
    public mutating func message<M: Message>(into field: inout M) throws(WireError) {
        let outerEnd = try enter()
        try field.decode(from: &self)
        leave(outerEnd)
    }

    /// Merges a nested message into a field that may not have been set yet.
    @inlinable
    public mutating func message<M: Message>(into field: inout M?) throws(WireError) {
        let outerEnd = try enter()
        if case nil = field { field = M() }
        try field!.decode(from: &self)
        leave(outerEnd)
    }

    /// Adds a nested message to a repeated field.
    @inlinable
    public mutating func message<M: Message>(appendingTo field: inout [M]) throws(WireError) {
        let outerEnd = try enter()
        var element = M()
        try element.decode(from: &self)
        field.append(element)
        leave(outerEnd)
    }

    /// Adds all values of a packed repeated field.
    @inlinable
    public mutating func packed<C: FieldCodec>(_ codec: C.Type, into field: inout [C.Value]) throws(WireError) {
        let length = try uint64()
        guard length <= UInt64(remaining) else { throw .truncated }
        let outerEnd = end
        end = position + Int(length)
        while position < end { field.append(try C.read(from: &self)) }
        end = outerEnd
    }

    /// Reads one entry of a map; the last entry of a key wins.
    @inlinable
    public mutating func mapEntry<K: FieldCodec, V: FieldCodec>(
        _ keyCodec: K.Type, _ valueCodec: V.Type, into map: inout [K.Value: V.Value]
    ) throws(WireError) {
        let outerEnd = try enter()
        var key = K.defaultValue
        var value = V.defaultValue
        var unknown = UnknownFields()
        while let tag = try nextTag() {
            switch tag {
            case 1 << 3 | K.wireType.rawValue: key = try K.read(from: &self)
            case 2 << 3 | V.wireType.rawValue: try V.merge(into: &value, from: &self)
            // A map has no place to keep what an entry carries beside key and value.
            default: try skip(tag, into: &unknown)
            }
        }
        leave(outerEnd)
        // A reservation's quantities have two units as a rule: room for three spares the move from one entry to two. A map
        // with one entry pays for it with some tens of nanoseconds.
        if map.isEmpty { map.reserveCapacity(3) }
        map[key] = value
    }
}
