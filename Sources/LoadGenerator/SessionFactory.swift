import CNghttp2

/// Sets up nghttp2's client sessions: callbacks, options and the first SETTINGS.
enum SessionFactory {
    /// A session whose callbacks go to the `Connection` at `userData`, which must outlive it.
    static func make(userData: UnsafeMutableRawPointer) -> OpaquePointer {
        var option: OpaquePointer?
        precondition(nghttp2_option_new(&option) == 0, "memory for nghttp2's options")
        defer { nghttp2_option_del(option) }
        nghttp2_option_set_no_closed_streams(option, 1)
        // What counts of an answer's headers is looked at here.
        nghttp2_option_set_no_http_messaging(option, 1)
        var made: OpaquePointer?
        let result = nghttp2_session_client_new2(&made, callbacks, userData, option)
        guard result == 0, let session = made else { preconditionFailure("memory for a session") }
        let settings = [
            nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(Limits.streamWindowBytes)),
        ]
        let none = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        precondition(nghttp2_submit_settings(session, none, settings, settings.count) == 0, "valid SETTINGS")
        let window = Limits.connectionWindowBytes
        precondition(nghttp2_session_set_local_window_size(session, none, 0, window) == 0, "a valid window")
        return session
    }

    /// Made once, shared by all sessions, which copy them.
    nonisolated(unsafe) private static let callbacks: OpaquePointer = {
        var made: OpaquePointer?
        precondition(nghttp2_session_callbacks_new(&made) == 0, "memory for nghttp2's callbacks")
        nghttp2_session_callbacks_set_on_header_callback(made, onHeader)
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, onDataChunk)
        nghttp2_session_callbacks_set_on_stream_close_callback(made, onStreamClose)
        nghttp2_session_callbacks_set_on_frame_recv_callback(made, onFrameReceived)
        guard let made else { preconditionFailure("memory for nghttp2's callbacks") }
        return made
    }()
}

// The callbacks find the connection in nghttp2's user data and pass on what they got. Zero lets nghttp2 go on.

@inline(__always)
private func withConnection(_ userData: UnsafeMutableRawPointer?, _ body: (Connection) -> Void) -> Int32 {
    Unmanaged<Connection>.fromOpaque(userData!)._withUnsafeGuaranteedRef(body)
    return 0
}

private let onHeader: nghttp2_on_header_callback = { _, frame, name, nameLength, value, valueLength, _, userData in
    withConnection(userData) {
        $0.follower.headerReceived(
            stream: frame!.pointee.hd.stream_id, UnsafeRawBufferPointer(start: name, count: nameLength),
            UnsafeRawBufferPointer(start: value, count: valueLength))
    }
}

private let onDataChunk: nghttp2_on_data_chunk_recv_callback = { _, _, id, data, length, userData in
    withConnection(userData) {
        $0.follower.dataReceived(stream: id, UnsafeRawBufferPointer(start: data, count: length))
    }
}

private let onStreamClose: nghttp2_on_stream_close_callback = { _, id, errorCode, userData in
    withConnection(userData) { $0.follower.streamClosed(id, errorCode: errorCode) }
}

private let onFrameReceived: nghttp2_on_frame_recv_callback = { _, frame, userData in
    let head = frame!.pointee.hd
    if head.type == UInt8(NGHTTP2_GOAWAY.rawValue) { return withConnection(userData) { $0.goawayReceived() } }
    // Only who still sends when the server ends its side has to hear of it before the stream is gone.
    guard head.type == UInt8(NGHTTP2_HEADERS.rawValue), head.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    else { return 0 }
    return withConnection(userData) { $0.follower.serverEnded(stream: head.stream_id) }
}
