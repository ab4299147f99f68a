import Ledger

extension Catalog {
    var plans: [String: PlanTerms] { [:] }
}
