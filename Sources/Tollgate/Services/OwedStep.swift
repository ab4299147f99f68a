import Foundation
import Ledger
import Protobuf
import Storage

/// A step that the directory owes to a tenant's book: the body of a `DirectoryNote`. Stored, so a tag once given is never
/// given to another field.
struct OwedStep: Equatable, Sendable {
    enum Kind: Int64, Sendable {
        /// Notes a change of a key, a member or a name.
        case note = 1
        /// Tells the book of a new tenant's plan and time zone.
        case subscribe = 2
    }

    var kind: Kind
    var origin: CallOrigin
    var method: String
    var target = ""
    var before = ""
    var after = ""
    var reason = ""
    /// Of `subscribe`; empty for none.
    var plan = ""
    var zone = ""

    /// The step as it is stored, with an id of its own. A random one: in a book's memory those of time take each other's
    /// place, and this one must not take that of the caller's steps.
    func note(for tenant: TenantID, at instant: Instant) -> DirectoryNote {
        let random = UUID().uuid
        let id = withUnsafeBytes(of: random) { bytes in
            StepID(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
        return DirectoryNote(id: id, tenant: tenant, body: bytes, at: instant)
    }

    /// What the book is asked to do.
    func command(id: StepID) -> Command {
        switch kind {
        case .note:
            .note(
                NoteCommand(
                    id: id,
                    note: AuditNote(
                        origin: origin, method: method, target: target, before: before, after: after, reason: reason)))
        case .subscribe:
            .subscribe(
                SubscriptionCommand(
                    id: id, plan: plan.isEmpty ? nil : plan, zone: zone, origin: plan.isEmpty ? nil : origin,
                    method: method, reason: reason))
        }
    }
}

extension OwedStep {
    var bytes: [UInt8] {
        var writer = WireWriter()
        writer.write(unlessZero: kind.rawValue, tag: 8)
        let texts = [
            origin.keyID, origin.actor, origin.address, origin.forwardedFor, method, target, before, after, reason,
            plan, zone,
        ]
        for (index, text) in texts.enumerated() { writer.write(unlessEmpty: text, tag: Self.tag(ofText: index)) }
        return writer.bytes()
    }

    /// Nil where the bytes are none of ours.
    init?(bytes: [UInt8]) {
        var texts = [String](repeating: "", count: 11)
        var number: Int64 = 0
        let isRead: Void? = try? bytes.withUnsafeBytes { (bytes) throws(WireError) in
            var reader = try WireReader(bytes)
            while let tag = try reader.nextTag() {
                if tag == 8 {
                    number = try reader.int64()
                } else if let index = texts.indices.first(where: { Self.tag(ofText: $0) == tag }) {
                    texts[index] = try reader.string()
                } else {
                    try reader.skip(tag)
                }
            }
        }
        guard isRead != nil, let kind = Kind(rawValue: number) else { return nil }
        self.init(
            kind: kind,
            origin: CallOrigin(keyID: texts[0], actor: texts[1], address: texts[2], forwardedFor: texts[3]),
            method: texts[4], target: texts[5], before: texts[6], after: texts[7], reason: texts[8], plan: texts[9],
            zone: texts[10])
    }

    /// Fields from 2 on, each a text.
    private static func tag(ofText index: Int) -> UInt32 { UInt32(index + 2) << 3 | 2 }
}

/// What stood before and after a change, as JSON for the audit trail.
enum AuditJSON {
    static func object(_ fields: KeyValuePairs<String, String>) -> String {
        var json = JSONWriter()
        json.beginObject()
        for (name, value) in fields {
            json.key(name)
            json.string(value)
        }
        json.endObject()
        return json.text
    }
}
