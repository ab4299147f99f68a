/// Books that wait to be flushed, by when they are due; all that enter wait equally long, so they are due in order.
struct FlushLine {
    private var items: [(book: Book, dueMs: Int)] = []
    private var head = 0

    /// When its first is due.
    var nextDueMs: Int? { head < items.count ? items[head].dueMs : nil }

    mutating func append(_ book: Book, dueMs: Int) {
        items.append((book, dueMs))
    }

    mutating func removeFirst() -> Book {
        let book = items[head].book
        head += 1
        if head == items.count || head > 1_024 && head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
        return book
    }
}
