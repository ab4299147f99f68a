/// A method with what runs for it.
final class RegisteredMethod: Sendable {
    /// What the schema says.
    let descriptor: MethodDescriptor
    /// What runs.
    let handler: MethodHandler
    /// Whether the handler begins before the first message.
    let startsEarly: Bool
    /// Whether it is answered however much there is to do: whoever asks for the server's health must learn it.
    let isVital: Bool
    /// The path as bytes, to be compared with what arrives.
    let pathBytes: [UInt8]

    init(_ descriptor: MethodDescriptor, _ handler: MethodHandler) {
        self.descriptor = descriptor
        self.handler = handler
        startsEarly = descriptor.shape.streamsRequests
        isVital = descriptor.service == HealthReporter.serviceName
        pathBytes = Array(descriptor.path.utf8)
    }
}

/// What runs for a method, over bytes. A returned message is framed.
enum MethodHandler: Sendable {
    /// On the loop's thread; answers through `ServerCall.complete`.
    case direct(@Sendable (UnsafeRawBufferPointer, ServerCall) -> Void)
    /// In a task, with the one request message.
    case unary(@Sendable ([UInt8], ServerCall) async throws -> [UInt8])
    /// In a task, with the one request message.
    case serverStreaming(@Sendable ([UInt8], ServerCall, ResponseQueue) async throws -> Void)
    /// In a task, while requests still arrive. A returned message is the last one.
    case streaming(@Sendable (ServerCall, RequestQueue, ResponseQueue) async throws -> [UInt8]?)
    /// On the loop's thread, while requests still arrive.
    case directStreaming(@Sendable (DirectStream) throws(RPCError) -> any DirectStreamHandler)
}

/// Finds a method by the bytes of its path: an open-addressed table, made once, so that a call makes no string.
struct MethodTable: Sendable {
    /// A power of two of slots, at most half of them taken.
    private let slots: [RegisteredMethod?]

    init(_ methods: [RegisteredMethod]) {
        var size = 16
        while size < methods.count * 2 { size *= 2 }
        var slots = [RegisteredMethod?](repeating: nil, count: size)
        for method in methods {
            var slot = method.pathBytes.withUnsafeBytes { MethodTable.hash($0) } & (size - 1)
            while slots[slot] != nil { slot = (slot + 1) & (size - 1) }
            slots[slot] = method
        }
        self.slots = slots
    }

    /// The method of a path; nil where there is none.
    func find(_ path: UnsafeRawBufferPointer) -> RegisteredMethod? {
        var slot = MethodTable.hash(path) & (slots.count - 1)
        while let method = slots[slot] {
            if method.pathBytes.count == path.count, method.pathBytes.elementsEqual(path) { return method }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// FNV-1a over the last bytes, in which paths differ. The table is not filled by strangers, so collisions are
    /// harmless.
    private static func hash(_ path: UnsafeRawBufferPointer) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in path.suffix(24) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
