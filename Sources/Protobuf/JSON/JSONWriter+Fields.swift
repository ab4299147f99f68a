/// Whole members of a message's object.
extension JSONWriter {
    /// A member with a scalar, string, bytes or enum.
    public mutating func write<C: FieldCodec>(_ codec: C.Type, _ value: C.Value, key name: String) {
        key(name)
        C.writeJSON(value, to: &self)
    }

    /// A member with a nested message.
    public mutating func write(message: some Message, key name: String) {
        key(name)
        message.encodeJSON(to: &self)
    }

    /// A member with the messages of a repeated field, where there are any.
    public mutating func write(messages: [some Message], key name: String) {
        guard !messages.isEmpty else { return }
        key(name)
        beginArray()
        for message in messages { message.encodeJSON(to: &self) }
        endArray()
    }

    /// A member with the values of a repeated field, where there are any.
    public mutating func write<C: FieldCodec>(repeated codec: C.Type, _ values: [C.Value], key name: String) {
        guard !values.isEmpty else { return }
        key(name)
        beginArray()
        for value in values { C.writeJSON(value, to: &self) }
        endArray()
    }

    /// A member with a map as an object, in the order of its keys, where there are any.
    public mutating func write<K: FieldCodec, V: FieldCodec>(
        map keyCodec: K.Type, _ valueCodec: V.Type, _ map: [K.Value: V.Value], key name: String
    ) {
        guard !map.isEmpty else { return }
        key(name)
        beginObject()
        for (key, value) in map.sorted(by: { K.precedes($0.key, $1.key) }) {
            self.key(K.keyText(key))
            V.writeJSON(value, to: &self)
        }
        endObject()
    }
}
