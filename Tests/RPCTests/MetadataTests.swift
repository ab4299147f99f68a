import RPC
import Testing

@Suite struct MetadataTests {
    @Test func keysRepeatInOrderAndAreLowerCase() throws {
        var metadata: Metadata = ["X-One": "1"]
        try metadata.add("x-two", "2")
        try metadata.add("x-ONE", "3")
        try metadata.add("trace-bin", bytes: [0, 255])
        #expect(metadata["x-one"] == "1")
        #expect(metadata.texts("x-one") == ["1", "3"])
        #expect(metadata.bytes("trace-bin") == [[0, 255]])
        #expect(metadata.entries.map(\.key) == ["x-one", "x-two", "x-one", "trace-bin"])
        #expect(metadata.entries.map(\.wireValue) == ["1", "2", "3", "AP8"])
        metadata.remove("x-one")
        #expect(metadata.entries.count == 2)
    }

    @Test(arguments: ["", "x y", "x:y", "ü", ":path"])
    func aWrongKeyIsRefused(key: String) {
        var metadata = Metadata()
        #expect(throws: MetadataError.invalidKey(key)) { try metadata.add(key, "v") }
    }

    @Test(arguments: ["grpc-status", "grpc-anything", "Content-Type", "te", "connection"])
    func namesOfTheProtocolAreRefused(key: String) {
        var metadata = Metadata()
        #expect(throws: MetadataError.reservedKey(key.lowercased())) { try metadata.add(key, "v") }
    }

    @Test(arguments: ["line\nbreak", "ümlaut", "\u{7F}", " leading", "trailing "])
    func textOutsidePrintableASCIIIsRefused(text: String) {
        var metadata = Metadata()
        #expect(throws: MetadataError.invalidValue(key: "k")) { try metadata.add("k", text) }
    }

    @Test func bytesNeedTheirSuffixAndTextMustNotHaveIt() {
        var metadata = Metadata()
        #expect(throws: MetadataError.invalidValue(key: "k-bin")) { try metadata.add("k-bin", "v") }
        #expect(throws: MetadataError.invalidValue(key: "k")) { try metadata.add("k", bytes: [1]) }
    }

    @Test func thereIsABoundOnEntriesAndBytes() throws {
        var many = Metadata()
        for number in 0..<256 { try many.add("k", "\(number)") }
        #expect(throws: MetadataError.tooLarge) { try many.add("k", "one more") }
        var large = Metadata()
        #expect(throws: MetadataError.tooLarge) { try large.add("k", String(repeating: "x", count: 33_000)) }
    }

    /// Metadata of received headers; nil where one of them is broken.
    private func received(_ headers: (name: String, value: String)...) -> Metadata? {
        var metadata = Metadata()
        for header in headers where !metadata.addReceived(name: header.name, value: header.value) { return nil }
        return metadata
    }

    @Test func receivedBinaryValuesAreSplitAtCommasBeforeDecoding() {
        #expect(received(("a-bin", "AQ,AgM=,BA=="))?.bytes("a-bin") == [[1], [2, 3], [4]])
        #expect(received(("a-bin", ""))?.bytes("a-bin") == [[]])
        #expect(received(("a-bin", "not base64!")) == nil)
    }

    @Test func receivedTextIsTakenAsItIsAndNamesOfTheProtocolAreLeftOut() {
        let metadata = received(("text", "gr\u{FC}n"), ("grpc-timeout", "1S"), (":path", "/a/b"), ("user-agent", "x"))
        #expect(metadata?.entries.map(\.key) == ["text", "user-agent"])
        #expect(metadata?["text"] == "gr\u{FC}n")
    }
}
