import Storage

/// Lets the changes of one tenant happen one after the other, where each takes several steps that belong together.
actor TenantTurns {
    /// Who waits, by tenant; a tenant that nobody changes is not here. No more wait than calls may be under way.
    private var waiting: [TenantID: [CheckedContinuation<Void, Never>]] = [:]

    /// Runs `body` when it is its turn.
    nonisolated func take<Value: Sendable, Failure: Error>(
        _ tenant: TenantID, _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        await begin(tenant)
        do throws(Failure) {
            let value = try await body()
            await end(tenant)
            return value
        } catch {
            await end(tenant)
            throw error
        }
    }

    private func begin(_ tenant: TenantID) async {
        guard waiting[tenant] != nil else {
            waiting[tenant] = []
            return
        }
        await withCheckedContinuation { waiting[tenant, default: []].append($0) }
    }

    private func end(_ tenant: TenantID) {
        if waiting[tenant]?.isEmpty ?? true {
            waiting[tenant] = nil
        } else {
            waiting[tenant]?.removeFirst().resume()
        }
    }
}
