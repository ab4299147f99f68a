import Testing

@testable import Tollgate

@Suite("A list goes on where its last page ended")
struct PagingTests {
    @Test("a page has 50 entries unless it says otherwise, and never more than 1,000")
    func sizes() throws {
        #expect(
            try [0, 1, 50, 1_000, 1_001, .max].map { try FieldCheck.pageSize($0) } == [50, 1, 50, 1_000, 1_000, 1_000])
        #expect(throws: InvalidField("page_size", "must not be negative")) { try FieldCheck.pageSize(-1) }
    }

    @Test(
        "a token gives back its cursor to its own list",
        arguments: [.number(0), .number(.max), .number(42), .name(""), .name("acme-1"), .name("é")] as [PageCursor])
    func roundTrip(cursor: PageCursor) throws {
        let token = cursor.token(of: .grants)
        #expect(try PageCursor(token: token, of: .grants) == cursor)
        #expect(throws: InvalidField("page_token", "was not given by this list")) {
            try PageCursor(token: token, of: .tenants)
        }
    }

    @Test("no token is the first page")
    func first() throws {
        #expect(try PageCursor(token: "", of: .keys) == nil)
    }

    @Test("a text that is no token is refused")
    func foreign() {
        let texts = ["x", "0", "03", "0302", "0300ff", "0301c3", "03 0", "0300000000000000002A"]
        for text in texts + [String(repeating: "03", count: 257)] {
            #expect(throws: InvalidField("page_token", "was not given by this list")) {
                try PageCursor(token: text, of: .grants)
            }
        }
    }
}
