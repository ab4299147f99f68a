/// Whole fields: a tag (the field's number times eight plus its wire type) and a value.
extension WireWriter {
    /// A field's tag.
    @inlinable
    public mutating func putTag(_ tag: UInt32) { putVarint(UInt64(tag)) }

    /// Any scalar, string, bytes or enum.
    @inlinable
    public mutating func write<C: FieldCodec>(_ codec: C.Type, _ value: C.Value, tag: UInt32) {
        putTag(tag)
        C.write(value, to: &self)
    }

    /// A nested message of what `body` writes.
    @inlinable
    public mutating func write(nested tag: UInt32, _ body: (inout WireWriter) -> Void) {
        putTag(tag)
        let start = beginLength()
        body(&self)
        endLength(start)
    }

    /// A number that proto3 leaves out where it is 0.
    @inlinable
    public mutating func write(unlessZero number: Int64, tag: UInt32) {
        guard number != 0 else { return }
        reserve(2 * Limits.varintByteCountMax)
        storeVarint(UInt64(tag))
        storeVarint(UInt64(bitPattern: number))
    }

    /// A string that proto3 leaves out where it is empty.
    @inlinable
    public mutating func write(unlessEmpty text: String, tag: UInt32) {
        guard !text.isEmpty else { return }
        putTag(tag)
        putString(text)
    }

    /// A string or bytes of a known length, which `fill` writes.
    @inlinable
    public mutating func write(byteCount: Int, tag: UInt32, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        putTag(tag)
        putVarint(UInt64(byteCount))
        reserve(byteCount)
        fill(UnsafeMutableRawBufferPointer(start: base + length, count: byteCount))
        length += byteCount
    }

    /// A nested message.
    @inlinable
    public mutating func write<M: Message>(message: M, tag: UInt32) {
        putTag(tag)
        let start = beginLength()
        message.encode(to: &self)
        endLength(start)
    }

    /// The nested messages of a repeated field.
    @inlinable
    public mutating func write<M: Message>(messages: [M], tag: UInt32) {
        for message in messages { write(message: message, tag: tag) }
    }

    /// A repeated field of strings or bytes, each value behind a tag of its own.
    @inlinable
    public mutating func write<C: FieldCodec>(repeated codec: C.Type, _ values: [C.Value], tag: UInt32) {
        for value in values { write(codec, value, tag: tag) }
    }

    /// A repeated field of numbers, packed behind one tag.
    @inlinable
    public mutating func write<C: FieldCodec>(packed codec: C.Type, _ values: [C.Value], tag: UInt32) {
        guard !values.isEmpty else { return }
        putTag(tag)
        let start = beginLength()
        for value in values { C.write(value, to: &self) }
        endLength(start)
    }

    /// A map, in the order of its keys, so that equal messages have equal bytes.
    @inlinable
    public mutating func write<K: FieldCodec, V: FieldCodec>(
        map keyCodec: K.Type, _ valueCodec: V.Type, _ map: [K.Value: V.Value], tag: UInt32
    ) {
        guard map.count > 1 else {
            for (key, value) in map { writeEntry(keyCodec, valueCodec, key, value, tag: tag) }
            return
        }
        for (key, value) in map.sorted(by: { K.precedes($0.key, $1.key) }) {
            writeEntry(keyCodec, valueCodec, key, value, tag: tag)
        }
    }

    /// One entry of a map: a message of key and value.
    @inlinable
    mutating func writeEntry<K: FieldCodec, V: FieldCodec>(
        _ keyCodec: K.Type, _ valueCodec: V.Type, _ key: K.Value, _ value: V.Value, tag: UInt32
    ) {
        putTag(tag)
        let start = beginLength()
        write(keyCodec, key, tag: 1 << 3 | K.wireType.rawValue)
        write(valueCodec, value, tag: 2 << 3 | V.wireType.rawValue)
        endLength(start)
    }
}
