import Dispatch
import Engine
import Glibc
import HTTP2
import Ledger
import Locks
import Protobuf
import RPC
import Storage
import TollgateSchema

/// How a server is set up.
package struct ServerConfiguration: Sendable {
    /// The data directory, made by `DataDirectoryInit`.
    package var dataPath: String
    package var host = "127.0.0.1"
    /// 0 picks a free one.
    package var port = 0
    /// A catalog to put in force; nil for the one that was applied last, or else the built-in one.
    package var catalogPath: String?
    /// Where time stands until it is moved by `TestClock`; nil for the system's clock.
    package var testClockStart: Instant?
    package var loopCount = 1
    /// How large a request may be.
    package var maxRequestBytes = 4 << 20
    package var connections = ConnectionLimits()
    package var engine = EngineConfiguration()

    package init(dataPath: String) {
        self.dataPath = dataPath
    }
}

/// A Tollgate server: the data directory, the engine on it, and the services over gRPC.
package final class TollgateServer: Sendable {
    private let data: DataDirectory
    private let directory: Directory
    let engine: Engine
    private let rpc: RPCServer
    private let courier: BookCourier
    /// Where it was told to listen, for messages.
    private let wanted: String
    /// The file whose catalog is put in force, at start and when it is read again; nil where none was named.
    let catalogPath: String?
    let catalogs: CatalogKeeper
    let log: Logger

    /// Takes the data directory and recovers it. Nobody is served before `start`.
    ///
    /// - Parameter journal: what stands before the journal on the disk; nothing does, but in tests.
    package init(
        _ configuration: ServerConfiguration, log: Logger, journal: (LocalJournal) -> any Journal = { $0 }
    ) throws(StartupError) {
        self.log = log
        wanted = "\(configuration.host):\(configuration.port)"
        catalogPath = configuration.catalogPath
        let clock: any Clock = configuration.testClockStart.map { ManualClock($0) } ?? SystemClock()
        let health = HealthStatus()
        let reporter = DiskReporter(health: health, log: log)
        let files = try FileLimit.raised()
        if files.count < Limits.wantedOpenFiles {
            log.warning(
                "few files may be open, so that connections may be refused; raise the limit (ulimit -n, LimitNOFILE=)",
                [
                    "limit": String(files.count), "wanted": String(Limits.wantedOpenFiles),
                    "connections": String(files.connections), "shards": String(files.shards),
                ])
        }
        do throws(StorageError) {
            data = try DataDirectory(path: configuration.dataPath, create: false)
            directory = try Directory(path: data.directory)
        } catch {
            throw StartupError(error)
        }
        catalogs = try Self.catalogs(directory, file: catalogPath, at: clock.now())
        do throws(StorageError) {
            engine = try Engine(
                journal: journal(try LocalJournal(directory: data.journal)),
                shards: ShardStore(path: data.shards, bounds: ShardBounds(openShards: files.shards)) {
                    reporter.note($0)
                },
                clock: clock, rules: CatalogRules(catalogs), configuration: configuration.engine,
                observer: reporter)
        } catch {
            throw StartupError(error)
        }
        let courier = BookCourier(engine: engine, directory: directory, log: log)
        self.courier = courier
        reporter.whenWrittenAgain { Task { await courier.deliverAll() } }
        let access = AccessControl(directory: directory, catalogs: catalogs) { [engine] tenant, note in
            engine.submit(.note(NoteCommand(note: note)), tenant: tenant) { _ in }
        }
        rpc = RPCServer(
            registry: Self.services(
                engine: engine, directory: directory, catalogs: catalogs, access: access, courier: courier,
                clock: clock, health: health),
            interceptors: [access],
            configuration: Self.rpcConfiguration(configuration, files, engine, log), health: health,
            metrics: [Self.metrics(of: engine)], onCutOff: CutOffLog(log).tell)
    }

    /// Brings the books what they are owed, and begins to listen and to serve. Blocks where something is owed, which is
    /// after a crash.
    ///
    /// - Returns: where.
    package func start() throws(StartupError) -> (host: String, port: Int) {
        if directory.owedCount > 0 {
            let delivered = DispatchSemaphore(value: 0)
            Task.detached { [courier] in
                await courier.deliverAll()
                delivered.signal()
            }
            delivered.wait()
        }
        do throws(HTTP2Error) {
            let bound = try rpc.start()
            return (bound.host, bound.port)
        } catch {
            throw StartupError("cannot listen on \(wanted): \(error.reason); choose another address with --listen")
        }
    }

    /// Lets calls under way finish, for `graceMs` at most, brings everything to the disk and ends. Blocks; not for a
    /// task of the cooperative pool.
    package func shutDown(graceMs: Int) {
        let drained = DispatchSemaphore(value: 0)
        Task {
            await rpc.drain(timeout: .milliseconds(graceMs))
            drained.signal()
        }
        drained.wait()
        engine.stop()
        directory.close()
        data.close()
        log.info("stopped")
    }

    private static func rpcConfiguration(
        _ configuration: ServerConfiguration, _ files: FileLimit, _ engine: Engine, _ log: Logger
    ) -> RPCServerConfiguration {
        var rpc = RPCServerConfiguration()
        rpc.host = configuration.host
        rpc.port = configuration.port
        rpc.loopCount = configuration.loopCount
        rpc.maxRequestBytes = configuration.maxRequestBytes
        configuration.connections.apply(to: &rpc)
        rpc.overloadDetails = [.overloaded]
        rpc.activity = LoopActivity(began: { engine.arrivalsBegan() }, paused: { engine.arrivalsPaused() })
        rpc.http2.connectionsMax = min(rpc.http2.connectionsMax, files.connections)
        rpc.http2.willAccept = { DescriptorReserve.refill() }
        rpc.http2.outOfDescriptors = { isOut in
            if isOut {
                log.error(
                    "no more connections can be accepted: as many files are open as may be; raise the limit of open files"
                )
            } else {
                log.info("connections are accepted again")
            }
        }
        return rpc
    }

    private static func services(
        engine: Engine, directory: Directory, catalogs: CatalogKeeper, access: AccessControl,
        courier: BookCourier, clock: any Clock, health: HealthStatus
    ) -> ServiceRegistry {
        let registry = ServiceRegistry()
        MeteringHandlers(engine: engine, catalogs: catalogs).register(in: registry)
        CreditsHandlers(engine: engine, catalogs: catalogs).register(in: registry)
        AdminHandlers(engine: engine, directory: directory, catalogs: catalogs, access: access, courier: courier)
            .register(in: registry)
        SettingsHandlers(engine: engine, catalogs: catalogs, courier: courier).register(in: registry)
        PurchasesHandlers(engine: engine, catalogs: catalogs).register(in: registry)
        if let clock = clock as? ManualClock { TestClockHandlers(clock: clock, engine: engine).register(in: registry) }
        HealthReporter(health).register(in: registry)
        do throws(WireError) {
            try ReflectionServer(services: registry.services, files: TollgateDescriptors.files)
                .registerBoth(in: registry)
        } catch {
            preconditionFailure("the descriptors that this build embeds cannot be read: \(error)")
        }
        return registry
    }
}

/// Tells health and log how the disk fares.
private final class DiskReporter: EngineObserver {
    /// The server as a whole and the services that are of no use while nothing can be written. The others still read.
    private static let writingServices = ["", MeteringMethods.reserve.service, AdminMethods.grantCredits.service]

    private let health: HealthStatus
    private let log: Logger
    /// What is to be done once the journal takes writes again.
    private let afterFailure = Protected<@Sendable () -> Void>({})
    /// Tenants whose damage was told already: once in the log is enough.
    private let told = Protected<Set<TenantID>>([])

    init(health: HealthStatus, log: Logger) {
        self.health = health
        self.log = log
    }

    func whenWrittenAgain(_ body: @escaping @Sendable () -> Void) { afterFailure.withLock { $0 = body } }

    func journalHealth(_ error: StorageError?) {
        let reason = error.map { "the journal cannot be written: \($0)" } ?? ""
        for service in Self.writingServices { health.set(service, serving: error == nil, reason: reason) }
        if let error {
            log.error("the journal cannot be written, steps are refused until it can", ["reason": error.description])
        } else {
            log.info("the journal is written again")
            afterFailure.withLock { $0 }()
        }
    }

    func shardsHealth(_ error: StorageError?) {
        if let error {
            log.error("shards cannot be written, the journal keeps what they lack", ["reason": error.description])
        } else {
            log.info("shards are written again")
        }
    }

    /// What an operator has to do, or has done.
    func note(_ notice: ShardNotice) {
        switch notice {
        case .setAside(let tenant, let file, let error):
            log.error(
                "a damaged book was set aside; its tenant is refused until it is restored, the others are served",
                ["tenant": tenant.description, "file": file, "reason": error.description])
        case .adopted(let tenant, let file):
            told.withLock { _ = $0.remove(tenant) }
            log.info("a restored book is in its place", ["tenant": tenant.description, "file": file])
        }
    }

    func storageFault(_ error: StorageError, tenant: TenantID?) {
        if let tenant {
            let isNew = told.withLock { told in
                if told.count >= Limits.maxToldTenants { told.removeAll() }
                return told.insert(tenant).inserted
            }
            guard isNew else { return }
        }
        log.error("storage fault", ["tenant": tenant?.description ?? "-", "reason": error.description])
    }
}

extension HTTP2Error {
    /// What keeps a server from listening, for people.
    fileprivate var reason: String {
        switch self {
        case .system(let call, let errno): "\(call): \(String(cString: strerror(errno)))"
        case .unresolvable(_, let reason): reason
        default: "\(self)"
        }
    }
}
