extension Program {
    /// Every command of the program, in the order of the help.
    static let allCommands: [Subcommand] = [
        DemoCommand.demo, InitCommand.initialise, ServeCommand.serve, TenantCommands.create, TenantCommands.list,
        TenantCommands.show, TenantCommands.update, CatalogCommands.check, CatalogCommands.apply, CatalogCommands.show,
        MemberCommands.set, MemberCommands.remove, MemberCommands.list,
        KeyCommands.create, KeyCommands.list, KeyCommands.revoke, CreditCommands.grant, CreditCommands.revoke,
        CreditCommands.balance, SettingsCommands.show, SettingsCommands.ai, SettingsCommands.setQuality,
        LimitCommand.limits, AuditCommand.audit, ReplayCommand.replay,
        VerifyCommand.verify, BackupCommand.backup, RestoreCommand.restore, RepairCommand.manifest,
        BenchPrepareCommand.prepare, BenchLoadCommand.load, BenchEchoCommand.echo, BenchSyncCommand.sync,
        BenchBookCommand.book, BenchLedgerCommand.ledger,
    ]
}
