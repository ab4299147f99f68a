import Protobuf
import Tollgate
import TollgateSchema

extension FuzzTarget {
    /// The protobuf reader, by every message of the schemas, and the JSON mapping of what it read. The first byte chooses
    /// the message.
    static let protobuf = FuzzTarget(name: "protobuf", seeds: { ProtobufSeeds.all }) { bytes in
        var input = FuzzInput(bytes)
        let type = MessageTypes.all[Int(input.byte()) % MessageTypes.all.count]
        try checkMessage(type, input.rest)
    }

    /// What was read is written, read again, and is the same; both texts are no longer than the input can account for.
    private static func checkMessage<M: Message>(_ type: M.Type, _ bytes: UnsafeRawBufferPointer) throws {
        guard let message = try? M(wireBytes: bytes) else { return }
        let written = message.wireBytes()
        guard let again = try? M(wireBytes: written) else {
            throw broken("\(M.messageName): what was written cannot be read")
        }
        try hold(again.wireBytes() == written, "\(M.messageName): what was written comes back as something else")
        // A number that is not itself, NaN, is unequal to itself.
        try hold(again == message || message != message, "\(M.messageName): the message that comes back is another")
        // A negative number packed in five bytes is written in ten.
        try hold(
            written.count <= 4 * bytes.count + 16, "\(M.messageName): \(bytes.count) bytes became \(written.count)")
        let json = message.jsonString()
        // One byte of an enum is its name, and two bytes of an empty message are its field's name.
        try hold(json.utf8.count <= 128 * bytes.count + 128, "\(M.messageName): \(json.utf8.count) bytes of JSON")
        do throws(JSONSyntaxError) {
            _ = try JSONParser.parse(Array(json.utf8), maxDepth: 1_000)
        } catch {
            throw broken("\(M.messageName): its JSON is none: \(error.reason): \(json)")
        }
    }
}

/// Messages with all kinds of fields, and the edges of the format.
enum ProtobufSeeds {
    static var all: [[UInt8]] {
        var seeds: [[UInt8]] = [
            seed(BatchRequest.self, batch.wireBytes()), seed(BatchResponse.self, answers.wireBytes()),
            seed(GetBalanceResponse.self, balance.wireBytes()), seed(GetTenantResponse.self, tenant.wireBytes()),
            seed(ReserveRequest.self, reserve.wireBytes()),
        ]
        for file in TollgateDescriptors.files.prefix(2) {
            let bytes = file.descriptorBytes.prefix(100)
            seeds.append(seed(FileDescriptorSet.self, [0x0A, UInt8(bytes.count)] + bytes))
        }
        let edges: [[UInt8]] = [
            [], [0x08], [0x08, 0x80], [0x80, 0x80, 0x80, 0x80, 0x10, 0], [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0],
            [0x08] + [UInt8](repeating: 0xFF, count: 9) + [0x01], [0x08] + [UInt8](repeating: 0x80, count: 9) + [0x02],
            [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0x0A, 2, 0xC3, 0x28], [0x0B, 0x0C], [0x0B, 0x13, 0x14, 0x0C], [0x0C],
            [0x13, 0x0C], [0x1A, 0], [0x1A, 4, 0x0A, 0, 0x10, 1, 0x1A, 4, 0x10, 2, 0x0A, 0], [0x06, 1], [0x00],
            [0x0D, 1, 2, 3, 4], [0x09, 1, 2, 3, 4, 5, 6, 7, 8],
            [UInt8](repeating: 0x0B, count: 120) + [UInt8](repeating: 0x0C, count: 120),
        ]
        return seeds + edges.map { seed(ReserveRequest.self, $0) } + [seed(BatchRequest.self, nested(110))]
    }

    /// Messages in each other, so many deep.
    private static func nested(_ depth: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<depth where bytes.count < 120 { bytes = [0x0A, UInt8(bytes.count)] + bytes }
        return bytes
    }

    static func seed(_ type: any Message.Type, _ bytes: [UInt8]) -> [UInt8] {
        [UInt8(MessageTypes.all.firstIndex { $0 == type }!)] + bytes
    }

    static let reserve = ReserveRequest.with {
        $0.reservationID = "01939f5e-8f1a-7c3d-9e2b-0123456789ab"
        $0.feature = "chat"
        $0.quantities = ["context_tokens": 374, "generated_tokens": 1_000]
        $0.quality = .best
        $0.actor = "jürgen"
        $0.ttl = ProtoDuration(seconds: 60, nanos: 5)
        $0.comment = "a \"comment\"\n\u{7F}"
        $0.labels = ["run": "7"]
        $0.minimumMicros = .max
    }

    private static let batch = BatchRequest.with { batch in
        batch.steps = [
            Step.with { $0.kind = .reserve(reserve) },
            Step.with { step in
                step.kind = .commit(
                    CommitRequest.with {
                        $0.reservationID = reserve.reservationID
                        $0.amountMicros = -1
                        $0.partial = true
                    })
            },
        ]
    }

    private static let answers = BatchResponse.with { answers in
        answers.results = [
            StepResult.with { result in
                result.kind = .reserve(
                    ReserveResponse.with { answer in
                        answer.reservation = Reservation.with {
                            $0.reservationID = reserve.reservationID
                            $0.state = .committed
                            $0.heldMicros = 5
                            $0.expireTime = Timestamp(seconds: 1_795_219_200, nanos: 250_000_000)
                        }
                        answer.balance = StepBalance.with { $0.availableMicros = .min }
                    })
            }
        ]
    }

    private static let balance = GetBalanceResponse.with { answer in
        answer.balance = Balance.with {
            $0.availableMicros = 1
            $0.byKind = [KindBalance()]
            $0.statusText = "Healthy"
        }
    }

    private static let tenant = GetTenantResponse.with { $0.tenant = Tenant.with { $0.tenantID = "acme" } }
}
