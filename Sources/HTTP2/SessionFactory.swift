import CNghttp2

/// Sets up nghttp2's sessions: callbacks, options and the first SETTINGS.
enum SessionFactory {
    /// A session for the connection, which must outlive it. nghttp2 fails here only without memory.
    static func make(for connection: HTTP2Connection) -> OpaquePointer {
        var option: OpaquePointer?
        precondition(nghttp2_option_new(&option) == 0, "memory for nghttp2's options")
        defer { nghttp2_option_del(option) }
        nghttp2_option_set_no_auto_window_update(option, 1)
        nghttp2_option_set_no_closed_streams(option, 1)
        // A blank at the end of a value is no reason to end a stream: who reads the value says what is wrong with it.
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1)
        nghttp2_option_set_max_outbound_ack(option, Limits.queuedAcknowledgementsMax)
        nghttp2_option_set_max_settings(option, Limits.settingsEntriesMax)
        // Its own budget of resets counts those of honest callers too: ours is kept where one knows whose they are.
        nghttp2_option_set_stream_reset_rate_limit(option, .max, .max)
        var session: OpaquePointer?
        let userData = Unmanaged.passUnretained(connection).toOpaque()
        var memory = connection.loop.sessionMemory.allocator
        let result =
            connection.role == .server
            ? nghttp2_session_server_new3(&session, callbacks, userData, option, &memory)
            : nghttp2_session_client_new3(&session, callbacks, userData, option, &memory)
        guard result == 0, let session else { preconditionFailure("memory for a session") }
        submitSettings(session, connection)
        return session
    }

    private static func submitSettings(_ session: OpaquePointer, _ connection: HTTP2Connection) {
        let configuration = connection.configuration
        var entries = [
            entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, UInt32(configuration.streamWindowBytes)),
            entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, UInt32(configuration.headerListBytesMax)),
        ]
        switch connection.role {
        case .server:
            entries.append(entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, configuration.concurrentStreamsMax))
        case .client:
            entries.append(entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
        }
        let none = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        precondition(nghttp2_submit_settings(session, none, entries, entries.count) == 0, "valid SETTINGS")
        let window = configuration.connectionWindowBytes
        precondition(nghttp2_session_set_local_window_size(session, none, 0, window) == 0, "a valid window")
    }

    static func entry(_ id: nghttp2_settings_id, _ value: UInt32) -> nghttp2_settings_entry {
        nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: value)
    }

    /// Where nghttp2 gets a stream's data. The stream is in its connection's list for as long as nghttp2 knows it.
    static func provider(for stream: HTTP2Stream) -> nghttp2_data_provider {
        nghttp2_data_provider(
            source: nghttp2_data_source(ptr: Unmanaged.passUnretained(stream).toOpaque()),
            read_callback: readOutput)
    }

    /// Made once, shared by all sessions, which copy them.
    nonisolated(unsafe) private static let callbacks: OpaquePointer = {
        var made: OpaquePointer?
        precondition(nghttp2_session_callbacks_new(&made) == 0, "memory for nghttp2's callbacks")
        nghttp2_session_callbacks_set_on_begin_headers_callback(made, onBeginHeaders)
        nghttp2_session_callbacks_set_on_header_callback(made, onHeader)
        nghttp2_session_callbacks_set_on_frame_recv_callback(made, onFrameReceived)
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, onDataChunk)
        nghttp2_session_callbacks_set_on_stream_close_callback(made, onStreamClose)
        nghttp2_session_callbacks_set_on_frame_send_callback(made, onFrameSent)
        nghttp2_session_callbacks_set_on_frame_not_send_callback(made, onFrameNotSent)
        guard let made else { preconditionFailure("memory for nghttp2's callbacks") }
        return made
    }()
}

// The callbacks find the connection in nghttp2's user data and pass on what they got. Zero lets nghttp2 go on.

/// The session's owner keeps the connection meanwhile: no callback has to retain it, one for each header as it is.
@inline(__always)
private func with(_ userData: UnsafeMutableRawPointer?, _ body: (HTTP2Connection) -> Void) -> Int32 {
    Unmanaged<HTTP2Connection>.fromOpaque(userData!)._withUnsafeGuaranteedRef(body)
    return 0
}

private let onBeginHeaders: nghttp2_on_begin_headers_callback = { _, frame, userData in
    with(userData) { $0.headersBegan(frame!) }
}

private let onHeader: nghttp2_on_header_callback = { _, _, name, nameLength, value, valueLength, _, userData in
    Unmanaged<HTTP2Connection>.fromOpaque(userData!)._withUnsafeGuaranteedRef {
        let isTaken = $0.headerReceived(
            UnsafeRawBufferPointer(start: name, count: nameLength),
            UnsafeRawBufferPointer(start: value, count: valueLength))
        // nghttp2 still decodes the rest of the block, but checks and tells nothing of it.
        return isTaken ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }
}

private let onFrameReceived: nghttp2_on_frame_recv_callback = { _, frame, userData in
    with(userData) { $0.frameReceived(frame!) }
}

private let onDataChunk: nghttp2_on_data_chunk_recv_callback = { _, _, id, data, length, userData in
    with(userData) { $0.dataReceived(id, UnsafeRawBufferPointer(start: data, count: length)) }
}

private let onStreamClose: nghttp2_on_stream_close_callback = { _, id, errorCode, userData in
    with(userData) { $0.streamEnded(id, errorCode: errorCode) }
}

private let onFrameSent: nghttp2_on_frame_send_callback = { _, frame, userData in
    with(userData) { $0.frameSent(frame!) }
}

private let onFrameNotSent: nghttp2_on_frame_not_send_callback = { _, frame, error, userData in
    with(userData) { $0.frameNotSent(frame!, error: error) }
}

private let readOutput: nghttp2_data_source_read_callback = { session, _, buffer, length, flags, source, _ in
    Unmanaged<HTTP2Stream>.fromOpaque(source!.pointee.ptr)._withUnsafeGuaranteedRef { stream in
        stream.connection.readOutput(
            of: stream, into: UnsafeMutableRawBufferPointer(start: buffer, count: length), flags: flags!)
    }
}
