import CNghttp2
import Glibc

/// The header blocks of a run's requests, laid out once for nghttp2, which copies nothing of them.
///
/// Only the tenant changes from call to call. It must stay as it is until the frame is packed, and so do the names of all
/// tenants: 12 bytes each.
final class RequestHeaders {
    private let fieldsPerBlock: Int
    private let blocks: UnsafeMutablePointer<nghttp2_nv>
    private let tenantNames: UnsafeMutablePointer<UInt8>
    private var strings: [UnsafeMutablePointer<CChar>] = []

    init(authority: String, key: String, tenants: Int, deadlineNs: Int64? = nil) {
        let timeout = deadlineNs.map { [("grpc-timeout", "\($0 / 1_000_000)m")] } ?? []
        fieldsPerBlock = 9 + timeout.count
        tenantNames = .allocate(capacity: tenants * BenchTenants.nameByteCount)
        for tenant in 0..<tenants {
            let name = Array(BenchTenants.name(tenant).utf8)
            (tenantNames + tenant * BenchTenants.nameByteCount).initialize(from: name, count: name.count)
        }
        blocks = .allocate(capacity: Method.allCases.count * fieldsPerBlock)
        for method in Method.allCases {
            let fields =
                [
                    (":method", "POST"), (":scheme", "http"), (":path", method.path), (":authority", authority),
                    ("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "tollgate-bench"),
                    ("authorization", "Bearer " + key),
                ] + timeout + [("tollgate-tenant", BenchTenants.name(0))]
            precondition(fields.count == fieldsPerBlock, "A block has its size.")
            for (index, field) in fields.enumerated() {
                (blocks + method.rawValue * fieldsPerBlock + index).initialize(to: entry(field.0, field.1))
            }
            // What differs from call to call would only push the rest out of the peer's table.
            if tenants > 1 { tenantField(method).pointee.flags |= UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) }
        }
    }

    deinit {
        for string in strings { free(string) }
        blocks.deallocate()
        tenantNames.deallocate()
    }

    /// Submits a request and returns its stream's id, or nghttp2's error.
    @inline(__always)
    func submit(
        _ session: OpaquePointer, _ method: Method, tenant: Int, body: UnsafePointer<nghttp2_data_provider>,
        userData: UnsafeMutableRawPointer?
    ) -> Int32 {
        tenantField(method).pointee.value = tenantNames + tenant * BenchTenants.nameByteCount
        return nghttp2_submit_request(
            session, nil, blocks + method.rawValue * fieldsPerBlock, fieldsPerBlock, body, userData)
    }

    private func tenantField(_ method: Method) -> UnsafeMutablePointer<nghttp2_nv> {
        blocks + method.rawValue * fieldsPerBlock + fieldsPerBlock - 1
    }

    private func entry(_ name: String, _ value: String) -> nghttp2_nv {
        let flags = UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
        return nghttp2_nv(
            name: kept(name), value: kept(value), namelen: name.utf8.count, valuelen: value.utf8.count, flags: flags)
    }

    private func kept(_ text: String) -> UnsafeMutablePointer<UInt8> {
        guard let copy = strdup(text) else { preconditionFailure("memory for a header") }
        strings.append(copy)
        return UnsafeMutableRawPointer(copy).assumingMemoryBound(to: UInt8.self)
    }
}
