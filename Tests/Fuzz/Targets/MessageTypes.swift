import Protobuf
import RPC
import TollgateSchema

/// Every message that is read from strangers, by service. The order is the corpus's: a new one goes to the end.
enum MessageTypes {
    static let all: [any Message.Type] =
        wellKnown + rpc + metering + credits + settings + purchases + admin + descriptors

    private static let wellKnown: [any Message.Type] = [
        Timestamp.self, ProtoDuration.self, Empty.self, ProtoAny.self,
    ]

    private static let rpc: [any Message.Type] = [
        Status.self, ErrorInfo.self, RetryInfo.self, DebugInfo.self, QuotaFailure.self, PreconditionFailure.self,
        BadRequest.self, RequestInfo.self, ResourceInfo.self, Help.self, LocalizedMessage.self,
    ]

    private static let metering: [any Message.Type] = [
        ReserveRequest.self, ReserveResponse.self, CommitRequest.self, CommitResponse.self, ReleaseRequest.self,
        ReleaseResponse.self, RefundRequest.self, RefundResponse.self, ExtendRequest.self, ExtendResponse.self,
        ChargeRequest.self, ChargeResponse.self, QuoteRequest.self, QuoteResponse.self, GetReservationRequest.self,
        GetReservationResponse.self, ListReservationsRequest.self, ListReservationsResponse.self, BatchRequest.self,
        BatchResponse.self, MeterRequest.self, MeterResponse.self,
    ]

    private static let credits: [any Message.Type] = [
        GetBalanceRequest.self, GetBalanceResponse.self, WatchBalanceRequest.self, WatchBalanceResponse.self,
        ListTransactionsRequest.self, ListTransactionsResponse.self, ExportTransactionsRequest.self,
        ExportTransactionsResponse.self, GetUsageRequest.self, GetUsageResponse.self, GetTrendRequest.self,
        GetTrendResponse.self, ListMonthsRequest.self, ListMonthsResponse.self, ListGrantsRequest.self,
        ListGrantsResponse.self, GetRateCardRequest.self, GetRateCardResponse.self, ListAlertsRequest.self,
        ListAlertsResponse.self,
    ]

    private static let settings: [any Message.Type] = [
        GetSettingsRequest.self, GetSettingsResponse.self, SetAIEnabledRequest.self, SetAIEnabledResponse.self,
        SetLimitsRequest.self, SetLimitsResponse.self, SetQualityRequest.self, SetQualityResponse.self,
        SetAlertsRequest.self, SetAlertsResponse.self, ListAuditEventsRequest.self, ListAuditEventsResponse.self,
    ]

    private static let purchases: [any Message.Type] = [
        ListPacksRequest.self, ListPacksResponse.self, StartCheckoutRequest.self, StartCheckoutResponse.self,
        GetPurchaseRequest.self, GetPurchaseResponse.self, ListPurchasesRequest.self, ListPurchasesResponse.self,
        GetAutoTopUpRequest.self, GetAutoTopUpResponse.self, SetAutoTopUpRequest.self, SetAutoTopUpResponse.self,
    ]

    private static let admin: [any Message.Type] = [
        CreateTenantRequest.self, CreateTenantResponse.self, GetTenantRequest.self, GetTenantResponse.self,
        ListTenantsRequest.self, ListTenantsResponse.self, UpdateTenantRequest.self, UpdateTenantResponse.self,
        DeleteTenantRequest.self, DeleteTenantResponse.self, GrantCreditsRequest.self, GrantCreditsResponse.self,
        RevokeGrantRequest.self, RevokeGrantResponse.self, SetMemberRequest.self, SetMemberResponse.self,
        RemoveMemberRequest.self, RemoveMemberResponse.self, ListMembersRequest.self, ListMembersResponse.self,
        CreateKeyRequest.self, CreateKeyResponse.self, RevokeKeyRequest.self, RevokeKeyResponse.self,
        ListKeysRequest.self, ListKeysResponse.self, ApplyCatalogRequest.self, ApplyCatalogResponse.self,
        GetCatalogRequest.self, GetCatalogResponse.self, GetTimeRequest.self, GetTimeResponse.self,
        AdvanceTimeRequest.self, AdvanceTimeResponse.self,
    ]

    private static let descriptors: [any Message.Type] = [
        FileDescriptorSet.self, DescriptorProto.self, EnumDescriptorProto.self, ServiceDescriptorProto.self,
    ]
}
