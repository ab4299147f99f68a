import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// `tollgate.v1.Credits`: what a billing page shows.
struct CreditsHandlers: CreditsService {
    let engine: Engine
    let catalogs: CatalogKeeper
    let months: MonthCalendar

    init(engine: Engine, catalogs: CatalogKeeper) {
        self.engine = engine
        self.catalogs = catalogs
        months = MonthCalendar(engine.rules)
    }

    func getBalance(_ request: GetBalanceRequest, call: DirectCall<GetBalanceResponse>) {
        do throws(RPCError) {
            let (principal, seat) = try call.context.tenantPrincipal()
            let timeZone = principal.timeZone
            let view = { @Sendable [months, rules = engine.rules] (state: borrowing LedgerState, now: Instant) in
                BalanceView(
                    state, at: now, monthStart: months.start(of: now, timeZone: timeZone), rules: rules)
            }
            var seen: BalanceView?
            _ = engine.look(from: seat) { seen = view($0, $1) }
            if let seen { return call.respond(encoding: { $0.write(nested: 10, seen.write) }) }
            engine.read(tenant: seat.tenant, queue: call.completionQueue, view) { result in
                switch result {
                case .success(let view): call.respond(encoding: { $0.write(nested: 10, view.write) })
                case .failure(let error): call.fail(RPCError(error))
                }
            }
        } catch {
            call.fail(error)
        }
    }

    func listTransactions(
        _ request: ListTransactionsRequest, context: ServerContext
    ) async throws -> ListTransactionsResponse {
        let access = try context.tenantAccess()
        let query = try checked { () throws(InvalidField) in try TransactionQuery(request) }
        let page = try await engine.report(tenant: access.tenant) { (shards, tenant) throws(StorageError) in
            try shards.transactions(tenant, query: query)
        }
        let kinds = try await grantKinds(of: access.tenant)
        return .with {
            $0.transactions = page.entries.map { Transaction($0, kinds: kinds) }
            $0.nextPageToken = page.next.map { PageCursor.number($0).token(of: .transactions) } ?? ""
        }
    }

    /// The kinds of the tenant's grants, by number from 1.
    private func grantKinds(of tenant: TenantID) async throws -> [Ledger.GrantKind] {
        try await engine.read(tenant: tenant) { state, _ in state.grants.map(\.kind) }
    }

    func listGrants(_ request: ListGrantsRequest, context: ServerContext) async throws -> ListGrantsResponse {
        let access = try context.tenantAccess()
        let (size, after, kind) = try checked { () throws(InvalidField) in
            (
                try FieldCheck.pageSize(request.pageSize), try numberCursor(request.pageToken, of: .grants) ?? 0,
                request.kind.rawValue == 0 ? nil : try FieldCheck.grantKind(request.kind.rawValue)
            )
        }
        let onlyActive = request.onlyActive
        let found = try await engine.read(tenant: access.tenant) { state, _ in
            // One more than the page tells whether there is another.
            Array(
                state.grants.lazy.filter { grant in
                    grant.number > after && (kind == nil || grant.kind == kind)
                        && (!onlyActive || grant.available > 0 || grant.held > 0)
                }.prefix(size + 1))
        }
        return .with {
            $0.grants = found.prefix(size).map { TollgateSchema.Grant($0) }
            if found.count > size {
                $0.nextPageToken = PageCursor.number(UInt64(found[size - 1].number)).token(of: .grants)
            }
        }
    }
}
