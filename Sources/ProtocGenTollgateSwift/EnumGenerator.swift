import Protobuf

extension MessageGenerator {
    /// An enum whose members are the schema's, with one more for numbers that the schema does not name.
    mutating func enumeration(_ item: EnumDescriptorProto, path: [Int32], _ code: inout CodePrinter) {
        let name = Naming.type(item.name)
        // With `allow_alias` a number has several names: the first one is the member, the others stand for it.
        var first: [Int32: String] = [:]
        var members: [(number: Int32, name: String, protoName: String)] = []
        code.doc(comments[path])
        code.block("\(access) enum \(name): MessageEnum") { code in
            for (index, value) in item.values.enumerated() {
                let member = Naming.enumCase(value.name, of: item.name)
                code.doc(comments[path + [2, Int32(index)]])
                if let original = first[value.number] {
                    code.line("\(access) static let \(member) = \(name).\(Naming.member(original))")
                } else {
                    code.line("case \(member)")
                    first[value.number] = member
                    members.append((value.number, member, value.name))
                }
            }
            code.line("/// A number that this build's schema does not name.")
            code.line("case unrecognized(Int32)")
            code.line()
            code.block("\(access) init(rawValue: Int32)") { code in
                code.block("switch rawValue") { code in
                    for member in members { code.line("case \(member.number): self = .\(Naming.member(member.name))") }
                    code.line("default: self = .unrecognized(rawValue)")
                }
            }
            code.line()
            code.block("\(access) var rawValue: Int32") { code in
                code.block("switch self") { code in
                    for member in members { code.line("case .\(Naming.member(member.name)): \(member.number)") }
                    code.line("case .unrecognized(let number): number")
                }
            }
            code.line()
            code.block("\(access) var protoName: String?") { code in
                code.block("switch self") { code in
                    for member in members { code.line("case .\(Naming.member(member.name)): \"\(member.protoName)\"") }
                    code.line("case .unrecognized: nil")
                }
            }
        }
    }
}
