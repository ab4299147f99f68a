import Protobuf

/// Makes method tables, client stubs and service protocols of one schema file.
struct ServiceGenerator {
    let file: FileDescriptorProto
    let types: TypeIndex
    let options: Options
    let comments: Comments

    private var access: String { options.visibility }

    /// The text of the file.
    mutating func generate() throws(SchemaFault) -> String {
        var code = CodePrinter()
        code.raw(fileHead(source: file.name))
        code.line()
        for module in Set(options.imports + ["Protobuf"]).sorted() { code.line("import \(module)") }
        for (index, service) in file.services.enumerated() {
            let path: [Int32] = [6, Int32(index)]
            var methods: [Method] = []
            for (methodIndex, method) in service.methods.enumerated() {
                let comment = comments[path + [2, Int32(methodIndex)]]
                methods.append(try Method(method, of: service, in: file, types, comment: comment))
            }
            // A namespace is an enum that the messages' file declares.
            if let namespace = options.namespace {
                code.line()
                code.block("extension \(namespace)") { code in
                    table(service, methods, &code)
                    client(service, methods, comments[path], &code)
                    serviceProtocol(service, methods, comments[path], &code)
                }
                defaults(namespace + "." + service.name, service, methods, &code)
            } else {
                table(service, methods, &code)
                client(service, methods, comments[path], &code)
                serviceProtocol(service, methods, comments[path], &code)
                defaults(service.name, service, methods, &code)
            }
        }
        return code.text
    }

    /// What is known of each method: name, shape, permission.
    private func table(_ service: ServiceDescriptorProto, _ methods: [Method], _ code: inout CodePrinter) {
        let fullName = (file.package.isEmpty ? "" : file.package + ".") + service.name
        code.line()
        code.line("/// The methods of `\(fullName)`.")
        code.block("\(access) enum \(service.name)Methods") { code in
            for method in methods {
                var arguments = "service: \"\(fullName)\", name: \"\(method.protoName)\", shape: .\(method.shape)"
                if !method.permission.isEmpty { arguments += ", permission: \"\(method.permission)\"" }
                if method.isDirect { arguments += ", direct: true" }
                code.line("/// `\(method.protoName)`.")
                code.line("\(access) static let \(method.name) = MethodDescriptor(\(arguments))")
            }
            let list = methods.map { Naming.member($0.name) }.joined(separator: ", ")
            code.line("/// All of them, in the order of the schema.")
            code.line("\(access) static let all: [MethodDescriptor] = [\(list)]")
        }
    }

    /// The stub that a caller uses.
    private func client(
        _ service: ServiceDescriptorProto, _ methods: [Method], _ comment: String?, _ code: inout CodePrinter
    ) {
        code.line()
        code.doc(comment ?? "Calls `\(service.name)`.")
        code.block("\(access) struct \(service.name)Client: Sendable") { code in
            code.line("/// Where the calls go.")
            code.line("\(access) let channel: any RPCChannel")
            code.line()
            code.line("/// A stub over a channel.")
            code.line("\(access) init(_ channel: any RPCChannel) { self.channel = channel }")
            for method in methods {
                let descriptor = "\(service.name)Methods.\(Naming.member(method.name))"
                code.line()
                code.doc(method.comment)
                code.block("\(access) func \(method.clientSignature)") { code in
                    code.line(method.clientCall(descriptor))
                }
            }
        }
    }

    /// The protocol that a server implements.
    private func serviceProtocol(
        _ service: ServiceDescriptorProto, _ methods: [Method], _ comment: String?, _ code: inout CodePrinter
    ) {
        code.line()
        code.doc(comment ?? "Serves `\(service.name)`.")
        code.line("///")
        code.line("/// A method that is not implemented answers UNIMPLEMENTED.")
        code.block("package protocol \(service.name)Service: Sendable") { code in
            for method in methods {
                code.line("/// Answers `\(method.protoName)`; see `\(service.name)Client` for what it promises.")
                code.line("func \(method.serviceSignature)")
            }
        }
    }

    /// What the protocol does by itself: UNIMPLEMENTED for each method, and the registration of all.
    private func defaults(
        _ name: String, _ service: ServiceDescriptorProto, _ methods: [Method], _ code: inout CodePrinter
    ) {
        code.line()
        code.block("extension \(name)Service") { code in
            for method in methods {
                let error = "RPCError(code: .unimplemented, message: \"\(method.protoName) is not served here\")"
                let statement = method.isDirect ? "call.fail(\(error))" : "throw \(error)"
                code.line("package func \(method.serviceSignature) { \(statement) }")
            }
            code.line()
            code.line("/// Makes a server answer the service's calls by this.")
            code.block("package func register(in registry: ServiceRegistry)") { code in
                for method in methods { code.line(method.registration(name + "Methods")) }
            }
        }
    }
}
