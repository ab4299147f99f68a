import Protobuf

/// Makes the messages and enums of one schema file.
struct MessageGenerator {
    let file: FileDescriptorProto
    let types: TypeIndex
    let options: Options
    let comments: Comments

    /// The access level of all that is made.
    var access: String { options.visibility }

    /// The text of the file.
    mutating func generate() throws(SchemaFault) -> String {
        var code = CodePrinter()
        code.raw(fileHead(source: file.name))
        code.line()
        for module in Set(options.imports + ["Protobuf"]).sorted() { code.line("import \(module)") }
        code.line()
        if let namespace = options.namespace {
            code.line("/// The types of `\(file.package)`, apart from those of the same name elsewhere in this module.")
            try code.block("\(access) enum \(namespace)") { (code) throws(SchemaFault) in try types(&code) }
        } else {
            try types(&code)
        }
        return code.text
    }

    private mutating func types(_ code: inout CodePrinter) throws(SchemaFault) {
        let scope = file.package.isEmpty ? "" : "." + file.package
        var isFirst = true
        for (index, item) in file.enums.enumerated() {
            if !isFirst { code.line() }
            isFirst = false
            enumeration(item, path: [5, Int32(index)], &code)
        }
        for (index, item) in file.messages.enumerated() {
            if !isFirst { code.line() }
            isFirst = false
            try message(item, scope: scope, path: [4, Int32(index)], &code)
        }
    }

    /// A message with the types inside it.
    private mutating func message(
        _ item: DescriptorProto, scope: String, path: [Int32], _ code: inout CodePrinter
    ) throws(SchemaFault) {
        let full = scope + "." + item.name
        var fields: [Field] = []
        for field in item.fields { fields.append(try Field(field, of: full, types)) }
        let oneofs = item.oneofs.enumerated().map { index, oneof in Oneof(oneof, index, fields, types) }
            .filter { !$0.fields.isEmpty }

        code.doc(comments[path])
        try code.block("\(access) struct \(Naming.type(item.name)): Message") { (code) throws(SchemaFault) in
            properties(fields, oneofs, path, &code)
            code.line("/// Fields that came over the wire and are not in this build's schema.")
            code.line("\(access) var unknownFields = UnknownFields()")
            code.line("\(access) static var messageName: String { \"\(full.dropFirst())\" }")
            code.line()
            code.line("/// A message with every field unset.")
            code.line("\(access) init() {}")
            code.line()
            decode(fields, oneofs, &code)
            code.line()
            encode(fields, oneofs, &code)
            code.line()
            encodeJSON(fields, oneofs, &code)
            for oneof in oneofs {
                code.line()
                oneofType(oneof, fields, path, &code)
            }
            for (index, nested) in item.enums.enumerated() {
                code.line()
                enumeration(nested, path: path + [4, Int32(index)], &code)
            }
            for (index, nested) in item.nestedMessages.enumerated() where nested.options?.isMapEntry != true {
                code.line()
                try message(nested, scope: full, path: path + [3, Int32(index)], &code)
            }
        }
    }

    /// The stored properties: one for each field, one for each oneof in place of its first field.
    private func properties(_ fields: [Field], _ oneofs: [Oneof], _ path: [Int32], _ code: inout CodePrinter) {
        for (index, field) in fields.enumerated() {
            let comment = comments[path + [2, Int32(index)]]
            switch field.presence {
            case .implicit:
                code.doc(comment)
                code.line("\(access) var \(field.name): \(field.type) = \(field.defaultValue)")
            case .optional:
                code.doc(comment)
                let boxed = field.isRecursive ? "@Boxed " : ""
                code.line("\(boxed)\(access) var \(field.name): \(field.type)?" + (field.isRecursive ? " = nil" : ""))
            case .repeated:
                code.doc(comment)
                if case .map = field.kind {
                    code.line("\(access) var \(field.name): \(field.type) = [:]")
                } else {
                    code.line("\(access) var \(field.name): [\(field.type)] = []")
                }
            case .oneof(let oneofIndex):
                guard let oneof = oneofs.first(where: { $0.index == oneofIndex && $0.fields[0].number == field.number })
                else { continue }
                code.doc(
                    comments[path + [8, Int32(oneofIndex)]] ?? "At most one of the members of `\(oneof.typeName)`.")
                code.line("\(access) var \(oneof.name): \(oneof.typeName)?")
            }
        }
    }

    /// The enum of a oneof.
    private func oneofType(_ oneof: Oneof, _ fields: [Field], _ path: [Int32], _ code: inout CodePrinter) {
        code.line("/// The choices of `\(oneof.name)`.")
        let indirect = oneof.fields.contains(where: \.isRecursive) ? "indirect " : ""
        code.block("\(access) \(indirect)enum \(oneof.typeName): Equatable, Sendable") { code in
            for field in oneof.fields {
                let index = fields.firstIndex { $0.number == field.number }!
                code.doc(comments[path + [2, Int32(index)]])
                code.line("case \(field.name)(\(field.type))")
            }
        }
    }
}

/// A oneof of a message.
struct Oneof {
    /// Its place among the message's oneofs.
    let index: Int
    /// The property's name.
    let name: String
    /// The name of its enum.
    let typeName: String
    /// The fields to choose from; empty for the one that is made up for an `optional` field.
    let fields: [Field]

    init(_ oneof: OneofDescriptorProto, _ index: Int, _ fields: [Field], _ types: TypeIndex) {
        self.index = index
        name = Naming.property(oneof.name)
        let type = Naming.oneofType(oneof.name)
        // Inside the message the enum would hide a type of the same name that a field may mean.
        typeName = types.simpleNames.contains(type) || Naming.type(type) != type ? type + "Choice" : type
        self.fields = fields.filter { field in
            if case .oneof(index) = field.presence { true } else { false }
        }
    }
}
