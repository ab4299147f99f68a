import Protobuf

/// Serves `grpc.health.v1.Health` from what the server knows of itself (WIRE.md, gRPC 12).
package struct HealthReporter: HealthService {
    static let serviceName = "grpc.health.v1.Health"

    private let health: HealthStatus

    /// A service that tells what is set there.
    package init(_ health: HealthStatus) { self.health = health }

    package func check(_ request: HealthCheckRequest, context: ServerContext) async throws -> HealthCheckResponse {
        guard let status = health.status(of: request.service) else {
            throw RPCError(code: .notFound, message: "there is no service \(request.service)")
        }
        return HealthReporter.response(status)
    }

    package func watch(
        _ request: HealthCheckRequest, response: ResponseWriter<HealthCheckResponse>, context: ServerContext
    ) async throws {
        guard let watch = health.watch(request.service) else {
            throw RPCError(code: .resourceExhausted, message: "too many callers watch the server's health")
        }
        context.onDrain { watch.end() }
        for await status in watch.updates { try await response.write(HealthReporter.response(status)) }
        throw ServerCall.draining
    }

    /// A status on the wire; no status is that of an unknown service.
    private static func response(_ status: HealthStatus.Status?) -> HealthCheckResponse {
        .with { $0.status = status.map { $0.isServing ? .serving : .notServing } ?? .serviceUnknown }
    }
}
