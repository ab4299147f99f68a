import Ledger
import Testing

@testable import Tollgate

@Suite("A fingerprint tells one request's contents from another's")
struct FingerprintTests {
    private func fingerprint(kind: UInt8 = 1, _ add: (inout Fingerprint) -> Void) -> UInt64 {
        var fingerprint = Fingerprint(kind: kind)
        add(&fingerprint)
        return fingerprint.finish()
    }

    @Test("it is the first 8 bytes of the SHA-256, which is stored and must never change")
    func golden() {
        // printf '\x07' | sha256sum
        #expect(fingerprint(kind: 7) { _ in } == 0x6c7ed2f6588735ca)
        // printf '\x01\x02\0\0\0\0\0\0\0hi\xff\xff\xff\xff\xff\xff\xff\xff\x01' | sha256sum
        let value = fingerprint {
            $0.add("hi")
            $0.add(Int64(-1))
            $0.add(true)
        }
        #expect(value == 0x78a976abe4f0ba73)
    }

    @Test("what differs in anything differs in it")
    func differences() {
        let id = StepID(high: 1, low: 2)
        let values = [
            fingerprint { _ in }, fingerprint(kind: 2) { _ in }, fingerprint { $0.add(Int64(0)) },
            fingerprint { $0.add(false) }, fingerprint { $0.add(true) }, fingerprint { $0.add("a") },
            fingerprint {
                $0.add("ab")
                $0.add("")
            },
            fingerprint {
                $0.add("a")
                $0.add("b")
            },
            fingerprint { $0.add(id) }, fingerprint { $0.add(Optional(id)) }, fingerprint { $0.add(StepID?.none) },
            fingerprint { $0.add([Quantity(unit: "a", count: 1)]) },
            fingerprint { $0.add([Quantity(unit: "a", count: 2)]) },
            fingerprint { $0.add([Label(key: "a", value: "b")]) },
            fingerprint { $0.add([Label(key: "ab", value: "")]) },
        ]
        // An optional that is absent is one byte 0, as a flag that is false is: fields stand at fixed places, so they
        // cannot meet.
        #expect(Set(values).count == values.count - 1)
    }
}
