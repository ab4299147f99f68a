import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

extension MeteringHandlers {
    func quote(_ request: QuoteRequest, call: DirectCall<QuoteResponse>) {
        do throws(RPCError) {
            let access = try call.context.tenantAccess()
            let price = catalogs.current.price(of: request.feature, for: access.tenant)
            let ask = try checked { () throws(InvalidField) in try steps.ask(request, price: price) }
            let member = request.actor.isEmpty ? access.actor : request.actor
            engine.read(tenant: access.tenant, queue: call.completionQueue) { state, now in
                Result { () throws(PricingError) in
                    (try state.quote(ask, feature: request.feature, member: member, at: now), state.balance)
                }
            } completion: { result in
                switch result {
                case .success(.success(let (quote, balance))): call.respond(QuoteResponse(quote, balance))
                case .success(.failure(let error)): call.fail(RPCError(InvalidField(error)))
                case .failure(let error): call.fail(RPCError(error))
                }
            }
        } catch {
            call.fail(error)
        }
    }

    func getReservation(_ request: GetReservationRequest, call: DirectCall<GetReservationResponse>) {
        do throws(RPCError) {
            let access = try call.context.tenantAccess()
            let id = try checked { () throws(InvalidField) in try FieldCheck.id(request.reservationID, "reservation_id")
            }
            engine.read(tenant: access.tenant, queue: call.completionQueue) { state, _ in
                state.reservation(id)
            } completion: { result in
                if case .success(nil) = result {
                    lookUp(id, of: access.tenant, call)
                } else {
                    call.answer(with: result) { reservation in
                        .with { $0.reservation = TollgateSchema.Reservation(reservation!) }
                    }
                }
            }
        } catch {
            call.fail(error)
        }
    }

    /// A reservation that memory has let go of stands in the shard.
    private func lookUp(_ id: StepID, of tenant: TenantID, _ call: DirectCall<GetReservationResponse>) {
        engine.report(tenant: tenant, caller: call.context.caller) { (shards, tenant) throws(StorageError) in
            try shards.recall(tenant, Recall(reservation: id)).reservation
        } completion: { result in
            if case .success(nil) = result {
                call.fail(RPCError(refusal: .reservationNotFound))
            } else {
                call.answer(with: result) { reservation in
                    .with { $0.reservation = TollgateSchema.Reservation(reservation!) }
                }
            }
        }
    }

    func listReservations(_ request: ListReservationsRequest, call: DirectCall<ListReservationsResponse>) {
        do throws(RPCError) {
            let access = try call.context.tenantAccess()
            let query = try checked { () throws(InvalidField) in try ReservationQuery(request) }
            engine.report(tenant: access.tenant, caller: call.context.caller) { (shards, tenant) throws(StorageError) in
                try shards.reservations(tenant, query: query)
            } completion: { result in
                call.answer(with: result) { page in
                    .with {
                        $0.reservations = page.reservations.filter(request.matches).map {
                            TollgateSchema.Reservation($0)
                        }
                        $0.nextPageToken =
                            page.next.map { PageCursor.number($0).token(of: .reservations) } ?? ""
                    }
                }
            }
        } catch {
            call.fail(error)
        }
    }
}
