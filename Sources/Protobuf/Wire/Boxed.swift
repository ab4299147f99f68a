/// Keeps a field on the heap, for a message that holds a message of its own type.
@propertyWrapper
public struct Boxed<Value: Equatable & Sendable>: Equatable, Sendable {
    /// What the field holds; never changed while two owners share it.
    private final class Storage: Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    private var storage: Storage

    /// A field with its first value.
    public init(wrappedValue: Value) { storage = Storage(wrappedValue) }

    /// The field's value.
    public var wrappedValue: Value {
        get { storage.value }
        set { storage = Storage(newValue) }
    }

    public static func == (left: Boxed, right: Boxed) -> Bool {
        left.storage === right.storage || left.storage.value == right.storage.value
    }
}
