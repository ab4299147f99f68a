import HTTP2

extension HTTP2Metrics {
    /// All that is counted of connections, for Prometheus.
    var families: [MetricFamily] {
        let open = MetricFamily("tollgate_http2_connections", .gauge, "Connections that are open now", active)
        return [open]
            + Event.rows.map { row in
                MetricFamily(
                    row.name, .counter, row.help, by: row.label,
                    row.samples.map { MetricFamily.Sample(label: $0.label, value: count(of: $0.event)) })
            }
    }
}

extension HTTP2Metrics.Event {
    /// Where an event is told: the family, its meaning, and the label's name and value where several events share it.
    private var row: (name: String, help: String, label: String?, value: String?) {
        switch self {
        case .accepted: ("accepted", "Connections taken", nil, nil)
        case .closed: ("closed", "Connections that ended", nil, nil)
        case .connectionsRefused:
            ("refused_connections", "Connections turned away because too many were open", nil, nil)
        case .acceptPauses:
            ("accept_pauses", "Times that no connection could be taken for want of descriptors", nil, nil)
        case .streams: ("streams", "Requests that were opened", nil, nil)
        case .resetsReceived: ("resets", "RST_STREAM frames", "side", "received")
        case .resetsSent: ("resets", "", "side", "sent")
        case .goawayDrain: ("goaways", "GOAWAY frames sent, by why", "reason", "drain")
        case .goawayPings: ("goaways", "", "reason", "pings")
        case .goawayFlood: ("goaways", "", "reason", "flood")
        case .goawayProtocol: ("goaways", "", "reason", "protocol")
        case .peerResetFloods: ("floods", "Connections cut for a flood, by what it was made of", "of", "resets")
        case .ownResetFloods: ("floods", "", "of", "provoked_resets")
        case .controlFrameFloods: ("floods", "", "of", "control_frames")
        case .queuedFrameFloods: ("floods", "", "of", "unread_frames")
        case .continuationFloods: ("floods", "", "of", "continuations")
        case .headerBombs: ("floods", "", "of", "header_bombs")
        case .streamLimits:
            ("stream_limits", "Times that a client was told to have fewer or more streams open", nil, nil)
        case .headersTooLarge: ("large_header_blocks", "Header blocks over the limit", nil, nil)
        case .outputTooLarge: ("unread_output_resets", "Streams cut because too much waited to be read", nil, nil)
        case .streamsRefused: ("refused_streams", "Streams refused because too many were open", nil, nil)
        case .evictions: ("evictions", "Idle connections closed to make room for new ones", nil, nil)
        case .handshakeTimeouts: ("timeouts", "What was given up because the peer took too long", "what", "handshake")
        case .headerBlockTimeouts: ("timeouts", "", "what", "header_block")
        case .requestTimeouts: ("timeouts", "", "what", "request")
        case .slowReaders: ("timeouts", "", "what", "unread_stream")
        case .pingTimeouts: ("timeouts", "", "what", "ping")
        case .writeStalls: ("timeouts", "", "what", "unread_output")
        case .idleDrains: ("drains", "Connections ended in peace, by why", "reason", "idle")
        case .ageDrains: ("drains", "", "reason", "age")
        }
    }

    /// One row for each family, in the order of the events.
    fileprivate static var rows: [Row] {
        var rows: [Row] = []
        for event in allCases {
            let row = event.row
            let name = "tollgate_http2_\(row.name)_total"
            let sample = (label: row.value, event: event)
            if let index = rows.firstIndex(where: { $0.name == name }) {
                rows[index].samples.append(sample)
            } else {
                rows.append(Row(name: name, help: row.help, label: row.label, samples: [sample]))
            }
        }
        return rows
    }

    fileprivate struct Row {
        let name: String
        let help: String
        let label: String?
        var samples: [(label: String?, event: HTTP2Metrics.Event)]
    }
}
