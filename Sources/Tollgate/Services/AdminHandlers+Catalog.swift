import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// The catalog, for those who serve all tenants.
extension AdminHandlers {
    func applyCatalog(_ request: ApplyCatalogRequest, context: ServerContext) async throws -> ApplyCatalogResponse {
        try requireUnbound(context)
        do throws(CatalogChangeError) {
            if request.checkOnly {
                try CatalogKeeper.check(request.catalogJSON)
                return .with { $0.version = catalogs.current.version }
            }
            let (version, isNew) = try catalogs.apply(request.catalogJSON, at: engine.now)
            if isNew {
                let origin = context.principal(as: Principal.self)?.origin(from: context.peer)
                courier.tell("a catalog was put in force", by: origin ?? CallOrigin(keyID: ""), "\(version)")
            }
            return .with {
                $0.version = version
                $0.applied = isNew
            }
        } catch {
            switch error {
            case .catalog(let error): throw RPCError(error)
            case .storage(let error): throw RPCError.storageUnavailable("the catalog cannot be stored: \(error)")
            }
        }
    }

    func getCatalog(_ request: GetCatalogRequest, context: ServerContext) async throws -> GetCatalogResponse {
        try requireUnbound(context)
        let catalog = catalogs.current
        return .with {
            $0.version = catalog.version
            $0.applyTime = catalog.appliedAt.map { Timestamp($0) }
            $0.catalogJSON = catalog.json
        }
    }
}

extension RPCError {
    /// A catalog with faults: a violation for each, as many as the trailers of an answer hold.
    fileprivate init(_ error: CatalogError) {
        guard case .invalid(let faults, _) = error, let first = faults.first else {
            self.init(InvalidField("catalog_json", error.description))
            return
        }
        var bytes = 0
        let told = faults.prefix { fault in
            bytes += fault.description.utf8.count
            return bytes <= Limits.maxToldFaultBytes
        }
        let request = BadRequest.with {
            $0.fieldViolations = told.map { fault in
                .with {
                    $0.field = "catalog_json"
                    $0.description = fault.description
                }
            }
        }
        let more = faults.count > 1 ? ", and there is more" : ""
        self.init(
            .invalidArgument, .invalidField, "catalog_json has faults: \(first.shortened)\(more)",
            facts: ["field": "catalog_json"], details: [ProtoAny(packing: request)])
    }
}

extension CatalogFault {
    /// Without the end of what would make a status too long.
    fileprivate var shortened: String {
        String(description.prefix(Limits.maxToldFaultCharacters))
    }
}
