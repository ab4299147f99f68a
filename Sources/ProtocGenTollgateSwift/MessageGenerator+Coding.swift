import Protobuf

/// The three functions by which a message is read, written and shown.
extension MessageGenerator {
    /// Reads fields until the message ends. A switch over whole tags sends a field of a wrong wire type to the unknown ones.
    func decode(_ fields: [Field], _ oneofs: [Oneof], _ code: inout CodePrinter) {
        code.block("\(access) mutating func decode(from reader: inout WireReader) throws(WireError)") { code in
            if fields.isEmpty {
                code.line("while let tag = try reader.nextTag() { try reader.skip(tag, into: &self.unknownFields) }")
                return
            }
            code.block("while let tag = try reader.nextTag()") { code in
                code.line("switch tag {")
                for field in fields { decode(field, oneofs, &code) }
                code.line("default: try reader.skip(tag, into: &self.unknownFields)")
                code.line("}")
            }
        }
    }

    private func decode(_ field: Field, _ oneofs: [Oneof], _ code: inout CodePrinter) {
        let target = "self.\(Naming.member(field.name))"
        switch (field.kind, field.presence) {
        case (.map(let key, let value), _):
            code.line("case \(field.tag): try reader.mapEntry(\(key).self, \(value).self, into: &\(target))")
        case (.message, .repeated):
            code.line("case \(field.tag): try reader.message(appendingTo: &\(target))")
        case (.message, .oneof(let index)):
            let oneof = oneofs.first { $0.index == index }!
            let choice = Naming.member(field.name)
            code.line("case \(field.tag):")
            code.line("    var value = \(field.type)()")
            code.line("    if case .\(choice)(let earlier)? = self.\(Naming.member(oneof.name)) { value = earlier }")
            code.line("    try reader.message(into: &value)")
            code.line("    self.\(Naming.member(oneof.name)) = .\(choice)(value)")
        case (.message, _):
            code.line("case \(field.tag): try reader.message(into: &\(target))")
        case (.scalar, .repeated):
            code.line("case \(field.tag): \(target).append(try reader.\(field.readCall)())")
            if field.wireType != .lengthDelimited {
                code.line("case \(field.packedTag): try reader.packed(\(field.codec).self, into: &\(target))")
            }
        case (.scalar, .oneof(let index)):
            let oneof = Naming.member(oneofs.first { $0.index == index }!.name)
            code.line(
                "case \(field.tag): self.\(oneof) = .\(Naming.member(field.name))(try reader.\(field.readCall)())")
        case (.scalar, _):
            code.line("case \(field.tag): \(target) = try reader.\(field.readCall)()")
        }
    }

    /// Writes fields in the order of their numbers, a oneof in the place of its first one.
    func encode(_ fields: [Field], _ oneofs: [Oneof], _ code: inout CodePrinter) {
        code.block("\(access) func encode(to writer: inout WireWriter)") { code in
            each(fields, oneofs, &code) { field, value in
                switch (field.kind, field.presence) {
                case (.map(let key, let mapped), _):
                    "writer.write(map: \(key).self, \(mapped).self, \(value), tag: \(field.tag))"
                case (.message, .repeated): "writer.write(messages: \(value), tag: \(field.tag))"
                case (.message, _): "writer.write(message: \(value), tag: \(field.tag))"
                case (.scalar, .repeated(packed: true)):
                    "writer.write(packed: \(field.codec).self, \(value), tag: \(field.packedTag))"
                case (.scalar, .repeated): "writer.write(repeated: \(field.codec).self, \(value), tag: \(field.tag))"
                case (.scalar, _): "writer.write(\(field.codec).self, \(value), tag: \(field.tag))"
                }
            }
            code.line("writer.writeUnknown(self.unknownFields)")
        }
    }

    /// Writes an object with a member for each field that is set.
    func encodeJSON(_ fields: [Field], _ oneofs: [Oneof], _ code: inout CodePrinter) {
        code.block("\(access) func encodeJSON(to json: inout JSONWriter)") { code in
            code.line("json.beginObject()")
            each(fields, oneofs, &code) { field, value in
                let key = "key: \"\(field.jsonName)\""
                return switch (field.kind, field.presence) {
                case (.map(let keys, let mapped), _): "json.write(map: \(keys).self, \(mapped).self, \(value), \(key))"
                case (.message, .repeated): "json.write(messages: \(value), \(key))"
                case (.message, _): "json.write(message: \(value), \(key))"
                case (.scalar, .repeated): "json.write(repeated: \(field.codec).self, \(value), \(key))"
                case (.scalar, _): "json.write(\(field.codec).self, \(value), \(key))"
                }
            }
            code.line("json.endObject()")
        }
    }

    /// A statement for each field, run only where the field is set.
    private func each(
        _ fields: [Field], _ oneofs: [Oneof], _ code: inout CodePrinter, _ statement: (Field, _ value: String) -> String
    ) {
        for field in fields.sorted(by: { $0.number < $1.number }) {
            let value = "self.\(Naming.member(field.name))"
            switch field.presence {
            case .implicit: code.line("if \(isSet(field, value)) { \(statement(field, value)) }")
            case .optional: code.line("if let value = \(value) { \(statement(field, "value")) }")
            case .repeated: code.line(statement(field, value))
            case .oneof(let index):
                guard let oneof = oneofs.first(where: { $0.index == index }),
                    oneof.fields.map(\.number).min() == field.number
                else { continue }
                code.line("switch self.\(Naming.member(oneof.name)) {")
                for choice in oneof.fields {
                    code.line("case .\(Naming.member(choice.name))(let value)?: \(statement(choice, "value"))")
                }
                code.line("case nil: break")
                code.line("}")
            }
        }
    }

    /// Whether a field without presence differs from its default. Minus zero does.
    private func isSet(_ field: Field, _ value: String) -> String {
        switch field.type {
        case "String", "[UInt8]": "!\(value).isEmpty"
        case "Bool": value
        case "Float", "Double": "\(value).bitPattern != 0"
        case "Int32", "Int64", "UInt32", "UInt64": "\(value) != 0"
        default: "\(value).rawValue != 0"
        }
    }
}
