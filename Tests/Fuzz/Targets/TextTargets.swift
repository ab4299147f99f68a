import Ledger
import Protobuf
import Storage
import Tollgate
import TollgateCommand

extension FuzzTarget {
    /// A trace in CSV, as `tollgate replay` reads it. The first byte says in which pieces it comes.
    static let trace = FuzzTarget(
        name: "trace",
        seeds: {
            let header = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
            let row = "2023-11-16 18:15:46.6805900,374,44\n"
            return [
                header + row, header + row + row,
                "\u{FEFF}generatedtokens, u ,timestamp,ContextTokens\r\n\r\n44,\"a,\"\"b\","
                    + "2023-11-16T18:15:46.68059Z, 374 \r\n", "", "\n\n", header + "\"2023-11-16 18:15:46,1,2\n",
                header + "2023-11-16 18:15:46,-1,2\n", header + "2023-11-16 18:15:46,1,1000000001\n",
                "TIMESTAMP,TIMESTAMP\n",
                header + "1969-12-31 23:59:59,1,2\n", header + "2023-11-16T00:00:00+23:59,1,2,3\n",
                header + "2023-11-16T00:00:00Z,\"1\"\"\",2\n", header + "0001-01-01T00:00:00Z,1,2\n",
            ].map { [5] + .text($0) }
        }
    ) { bytes in
        var input = FuzzInput(bytes)
        let piece = Int(input.byte()) + 1
        let whole = rows(input.rest, piece: max(1, input.rest.count))
        let inPieces = rows(input.rest, piece: piece)
        try hold(whole == inPieces, "pieces of \(piece) bytes are read in another way than the whole: \(inPieces)")
        guard case .success(let rows) = whole else {
            guard case .failure(.line(let number, _)) = whole else { throw broken("a fault without a line") }
            let lineCount = input.rest.count { $0 == UInt8(ascii: "\n") } + 1
            try hold((1...lineCount).contains(number), "a fault on line \(number) of \(lineCount)")
            return
        }
        try hold(rows.count <= input.rest.count, "more rows than bytes")
        for row in rows { try hold(row.timeMicroseconds >= 0 && row.contextTokens >= 0, "a row below zero") }
        // Zones reach out of the years that can be written.
        guard rows.allSatisfy({ $0.timeMicroseconds < 253_402_300_800_000_000 }) else { return }
        let written =
            "ContextTokens,TIMESTAMP,GeneratedTokens\n"
            + rows.map { row in
                let seconds = row.timeMicroseconds / 1_000_000
                let time = Timestamp(seconds: seconds, nanos: Int32(row.timeMicroseconds % 1_000_000) * 1_000)
                return "\(row.contextTokens),\(time.rfc3339 ?? "?"),\(row.generatedTokens)\r\n"
            }.joined()
        let again = Array(written.utf8).withUnsafeBytes { Self.rows($0, piece: 7) }
        try hold(again == .success(rows), "\(written) gives other rows")
    }

    private static func rows(_ bytes: UnsafeRawBufferPointer, piece: Int) -> Result<[TraceRow], TraceError> {
        Result { () throws(TraceError) in
            var reader = TraceReader(rowLimit: 1_000_000)
            var rest = FuzzInput(bytes)
            while !rest.isEmpty { try reader.feed(rest.take(piece)) }
            try reader.finish()
            return reader.rows
        }
    }

    /// `page_token`: what a list gave goes on in that list, and in no other.
    static let pageToken = FuzzTarget(
        name: "pagetoken",
        seeds: {
            var seeds: [[UInt8]] = [[1], [1] + .text("0100zz"), [2] + .text("02"), [1] + .text("0101ff"), [9]]
            for list: PagedList in [.transactions, .members] {
                for cursor: PageCursor in [.number(0), .number(.max), .name(""), .name("zoé")] {
                    seeds.append([list.rawValue] + .text(cursor.token(of: list)))
                }
            }
            return seeds
        }
    ) { bytes in
        var input = FuzzInput(bytes)
        guard let list = PagedList(rawValue: input.byte() & 7) else { return }
        let token = input.text
        guard let cursor = try? PageCursor(token: token, of: list) else { return }
        try hold(cursor.token(of: list) == token, "another token has the same cursor")
        for number: UInt8 in 1...7 where number != list.rawValue {
            let other = PagedList(rawValue: number)!
            try hold((try? PageCursor(token: token, of: other)) == nil, "two lists take the token")
        }
    }

    /// Moments as text.
    static let timeText = FuzzTarget(
        name: "timetext",
        seeds: {
            [
                "2026-03-01T12:00:00.25Z", "2026-03-01t12:00:00+02:00", "2026-03-01 12:00:00",
                "2024-02-29T23:59:59.999999999z",
                "2023-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z",
                "0001-01-01T00:00:00+23:59",
                "9999-12-31T23:59:59-23:59", "2026-03-01T24:00:00Z", "2026-03-01T12:00:60Z", "2026-03-01T12:00:00.Z",
                "2026-03-01T12:00:00.1234567890Z", "1969-12-31T23:59:59.5Z", "",
            ].map { .text($0) }
        }
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let microseconds = TimeText.microseconds(text)
        let required = TimeText.microseconds(text, requiresZone: true)
        try hold(required == nil || required == microseconds, "a zone that is required changes the time")
        let timestamp = TimeText.timestamp(text)
        try hold((timestamp != nil) == (required != nil), "one reader takes it, the other does not")
        guard let microseconds, let timestamp else { return }
        try hold(timestamp.nanosecondsSinceEpoch.map { $0 / 1_000 == microseconds } ?? true, "another moment")
        // Zones reach out of the years that can be written.
        guard let written = timestamp.rfc3339 else { return }
        try hold(TimeText.microseconds(written) == microseconds, "\(text) is written as \(written)")
    }

    /// The names of tenants, the ids of steps and the shape of keys, in texts that strangers send.
    static let identifiers = FuzzTarget(
        name: "identifiers",
        seeds: {
            let id = "01939f5e-8f1a-7c3d-9e2b-0123456789ab"
            let key = APIKey(randomBytes: [UInt8](repeating: 0xAB, count: 32)).text
            return [
                id, id.uppercased(), String(id.dropLast()), id + "0", id.replacing("-", with: "0"), "acme", "a-", "-a",
                "A", "",
                String(repeating: "a", count: 63), String(repeating: "a", count: 64), "Bearer " + key,
                "bEARER   " + key,
                "Bearer " + key + " ", "Bearer", "Bearer  ", "Basic " + key, "Bearer " + key.dropLast() + "\u{0}",
                "ü-1",
            ].map { .text($0) }
        }
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let isText = Array(text.utf8) == Array(bytes)
        // A text of UTF-8 means the same to both readers; other bytes are an id to neither.
        let id = StepID(text: bytes)
        try hold(id == (isText ? StepID(text) : nil), "two readers of ids differ")
        if let id {
            try hold(id.description == text.lowercased(), "an id is written as \(id)")
            var written = [UInt8](repeating: 0, count: StepID.textByteCount)
            written.withUnsafeMutableBytes { id.writeText(to: $0) }
            try hold(written == Array(id.description.utf8), "two writers of ids differ")
        }
        let isName =
            (1...TenantID.maxBytes).contains(bytes.count) && bytes.first != UInt8(ascii: "-")
            && bytes.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789-".utf8.contains($0) }
        try hold((TenantID(text) != nil) == isName, "taken for a tenant's name, or not, against the rule")
        if let tenant = TenantID(text) {
            try hold(
                tenant.folder.utf8.count == 2 && !text.contains("/") && !text.contains("."), "a name leads elsewhere")
        }
        try checkKey(bytes)
    }

    /// An `authorization` header has the digest of the key in it, and of nothing that is not shaped like one.
    private static func checkKey(_ header: UnsafeRawBufferPointer) throws {
        guard let digest = KeyDigest(authorization: header) else { return }
        let key = header.suffix(67)
        let scheme = header.dropLast(67)
        try hold(key.count == 67 && key.starts(with: "tg_".utf8), "a key of another shape")
        try hold(scheme.count >= 7 && scheme.dropFirst(6).allSatisfy { $0 == 0x20 }, "a scheme of another shape")
        let text = String(decoding: key, as: UTF8.self)
        let plain = Array("Bearer \(text)".utf8).withUnsafeBytes { KeyDigest(authorization: $0) }
        try hold(Array(text.utf8) != Array(key) || digest == plain, "the digest of something else")
    }
}
