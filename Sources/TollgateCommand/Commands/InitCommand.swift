import Tollgate

/// `tollgate init`: a data directory and its first key.
enum InitCommand {
    static let data = OptionSpec.value("--data", "DIR", "the data directory", isRequired: true)

    static let initialise = Subcommand(
        path: ["init"], summary: "Makes a data directory and prints the root key, this once.",
        details: """
            The root key serves every tenant and may do everything. It goes to standard output, and what
            else there is to say to standard error. The directory keeps only its SHA-256.
            """,
        options: [data],
        work: .blocking { (arguments, console) throws(CommandError) in
            let path = try arguments.required(data)
            let key: String
            do throws(StartupError) {
                key = try DataDirectoryInit.create(path: path)
            } catch {
                throw .failed(error.description)
            }
            try console.line(key)
            console.message(
                "data directory \(path) made; this root key is not shown again, so keep it where secrets are kept")
        })
}
