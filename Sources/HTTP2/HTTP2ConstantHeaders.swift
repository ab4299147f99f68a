import CNghttp2

/// A header block that is the same in every message, laid out once for nghttp2, which then copies nothing of it.
///
/// Make it once and keep it for the life of the process: the memory is never given back, since a session may still
/// point to it.
package final class HTTP2ConstantHeaders: @unchecked Sendable {
    // Written in `init` only, and immortal: that is why the class is `Sendable`.
    let fields: UnsafeMutableBufferPointer<nghttp2_nv>

    package init(_ headers: HTTP2Headers) {
        fields = .allocate(capacity: headers.count)
        let flags = UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
        var index = 0
        headers.forEach { [fields] name, value in
            fields.initializeElement(
                at: index,
                to: nghttp2_nv(
                    name: Self.immortal(name), value: Self.immortal(value), namelen: name.count,
                    valuelen: value.count, flags: flags))
            index += 1
        }
    }

    private static func immortal(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8> {
        // One byte at least, since nghttp2 wants a pointer for an empty value too.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
        copy.copyMemory(from: bytes)
        return copy.bindMemory(to: UInt8.self).baseAddress!
    }
}
