extension Program {
    /// Every command of the program, in the order of the help.
    static let allCommands: [Subcommand] = [
        DemoCommand.demo, InitCommand.initialise, ServeCommand.serve, TenantCommands.create, TenantCommands.list,
        TenantCommands.show, CatalogCommands.check, CatalogCommands.apply, CatalogCommands.show, KeyCommands.create,
        KeyCommands.list,
        KeyCommands.revoke, CreditCommands.grant, CreditCommands.balance, ReplayCommand.replay,
        VerifyCommand.verify, BenchPrepareCommand.prepare, BenchLoadCommand.load, BenchEchoCommand.echo,
        BenchSyncCommand.sync, BenchBookCommand.book, BenchLedgerCommand.ledger,
    ]
}
