import Protobuf

/// Finds the Swift type of every message and enum that a schema names.
struct TypeIndex {
    /// Messages of google.protobuf that `Protobuf` has by hand.
    private static let wellKnown = [
        ".google.protobuf.Any": "ProtoAny", ".google.protobuf.Duration": "ProtoDuration",
        ".google.protobuf.Empty": "Empty", ".google.protobuf.Timestamp": "Timestamp",
    ]

    private var swiftNames: [String: String] = TypeIndex.wellKnown
    /// Messages by their full name with a dot before it, entries of maps too.
    private(set) var messages: [String: DescriptorProto] = [:]
    /// The last part of every type's name, which the enum of a oneof must not hide.
    private(set) var simpleNames: Set<String> = []
    /// Messages that a message holds, not counting those behind an array or dictionary.
    private var held: [String: Set<String>] = [:]

    /// An index of all types of the files.
    init(_ files: [FileDescriptorProto], namespace: String?) {
        for file in files {
            let scope = file.package.isEmpty ? "" : "." + file.package
            let swiftScope = namespace.map { $0 + "." } ?? ""
            for message in file.messages { add(message, scope, swiftScope) }
            for item in file.enums { add(name: item.name, scope, swiftScope) }
        }
    }

    private mutating func add(name: String, _ scope: String, _ swiftScope: String) {
        let full = scope + "." + name
        simpleNames.insert(name)
        if swiftNames[full] == nil, !full.hasPrefix(".google.protobuf.") {
            swiftNames[full] = swiftScope + Naming.type(name)
        }
    }

    private mutating func add(_ message: DescriptorProto, _ scope: String, _ swiftScope: String) {
        add(name: message.name, scope, swiftScope)
        let full = scope + "." + message.name
        messages[full] = message
        held[full] = Set(message.fields.filter { $0.type == 11 && $0.label != 3 }.map(\.typeName))
        let inner = swiftScope + Naming.type(message.name) + "."
        for nested in message.nestedMessages { add(nested, full, inner) }
        for item in message.enums { add(name: item.name, full, inner) }
    }

    /// The Swift type of a full name.
    func swiftName(_ full: String, field: String) throws(SchemaFault) -> String {
        guard let name = swiftNames[full] else { throw .unknownType(String(full.dropFirst()), field: field) }
        return name
    }

    /// Whether a field of type `inner` in the message `outer` makes a value of `outer` hold another one.
    func isRecursive(_ inner: String, in outer: String) -> Bool {
        var seen: Set<String> = [inner]
        var open = [inner]
        while let next = open.popLast() {
            if next == outer { return true }
            for more in held[next] ?? [] where seen.insert(more).inserted { open.append(more) }
        }
        return false
    }
}
