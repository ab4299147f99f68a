/// What the command line asks of the generated code: `--tollgate-swift_opt=Visibility=public,Import=RPC`.
struct Options {
    /// The access level of messages, enums and client stubs. Service protocols are for our own modules and always `package`.
    var visibility = "public"
    /// The enum that lists the schema files' descriptors, and the name of its file; none is made without a name.
    var descriptors: String?
    /// The enum that all types are put into, where their names would clash in the module otherwise.
    var namespace: String?
    /// Further modules that the messages' files import.
    var imports: [String] = []

    /// Reads `Key=Value` pairs separated by commas.
    init(parsing parameter: String) throws(SchemaFault) {
        for pair in parameter.split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw .wrongParameter(String(pair)) }
            switch parts[0] {
            case "Visibility" where ["public", "package"].contains(parts[1]): visibility = parts[1]
            case "Descriptors": descriptors = parts[1]
            case "Namespace": namespace = parts[1]
            case "Import": imports.append(parts[1])
            default: throw .wrongParameter(String(pair))
            }
        }
    }
}
