import Protobuf

/// Which schema file declares what, for server reflection. Made once from the embedded descriptors.
///
/// Services, methods, messages, fields, enums and extensions are symbols, by their full names without a leading dot.
struct SymbolIndex: Sendable {
    /// An extension field: the message that it extends, and its number.
    struct Extension: Hashable, Sendable {
        let messageName: String
        let number: Int32
    }

    /// The serialized `FileDescriptorProto` of each file, by its path.
    private var files: [String: [UInt8]] = [:]
    /// The files that each file imports.
    private var dependencies: [String: [String]] = [:]
    /// The file that declares a symbol.
    private var fileOfSymbol: [String: String] = [:]
    /// The file that declares an extension.
    private var fileOfExtension: [Extension: String] = [:]

    /// Indexes serialized descriptors; the first of several files of the same path counts.
    init(descriptors: [[UInt8]]) throws(WireError) {
        for bytes in descriptors {
            let file = try FileDescriptorProto(wireBytes: bytes)
            guard files[file.name] == nil else { continue }
            files[file.name] = bytes
            dependencies[file.name] = file.dependencies
            add(file)
        }
    }

    /// The descriptors of a file and of all that it imports, each once, the file itself first; nil where it is not
    /// known.
    func fileWithDependencies(_ name: String) -> [[UInt8]]? {
        guard files[name] != nil else { return nil }
        var found: [[UInt8]] = []
        var seen: Set<String> = [name]
        var queue = [name]
        while !queue.isEmpty {
            let next = queue.removeFirst()
            guard let bytes = files[next] else { continue }
            found.append(bytes)
            queue += (dependencies[next] ?? []).filter { seen.insert($0).inserted }
        }
        return found
    }

    /// The path of the file that declares a symbol.
    func file(declaring symbol: String) -> String? { fileOfSymbol[symbol] }

    /// The path of the file that declares an extension.
    func file(declaring extension: Extension) -> String? { fileOfExtension[`extension`] }

    /// The numbers of all extensions of a message in order; nil where the message is not known.
    func extensionNumbers(of messageName: String) -> [Int32]? {
        let numbers = fileOfExtension.keys.filter { $0.messageName == messageName }.map(\.number).sorted()
        return numbers.isEmpty && fileOfSymbol[messageName] == nil ? nil : numbers
    }

    // MARK: Building

    private mutating func add(_ file: FileDescriptorProto) {
        let scope = file.package.isEmpty ? "" : file.package + "."
        for message in file.messages { add(message, scope: scope, file: file.name) }
        for `enum` in file.enums { fileOfSymbol[scope + `enum`.name] = file.name }
        for field in file.extensions { add(extension: field, scope: scope, file: file.name) }
        for service in file.services {
            fileOfSymbol[scope + service.name] = file.name
            for method in service.methods { fileOfSymbol["\(scope)\(service.name).\(method.name)"] = file.name }
        }
    }

    private mutating func add(_ message: DescriptorProto, scope: String, file: String) {
        let name = scope + message.name
        fileOfSymbol[name] = file
        for field in message.fields { fileOfSymbol["\(name).\(field.name)"] = file }
        for `enum` in message.enums { fileOfSymbol["\(name).\(`enum`.name)"] = file }
        for field in message.extensions { add(extension: field, scope: name + ".", file: file) }
        for nested in message.nestedMessages { add(nested, scope: name + ".", file: file) }
    }

    private mutating func add(extension field: FieldDescriptorProto, scope: String, file: String) {
        fileOfSymbol[scope + field.name] = file
        let extended = field.extendee.hasPrefix(".") ? String(field.extendee.dropFirst()) : field.extendee
        fileOfExtension[Extension(messageName: extended, number: field.number)] = file
    }
}
