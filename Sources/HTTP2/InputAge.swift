/// How long received bytes have surely waited in the kernel before they were read.
///
/// Now and then, when a read left something behind, it is noted up to which byte everything had arrived by then. What is read
/// up to there has waited since; of what lies beyond nothing is known. Bytes are numbered from the connection's beginning.
struct InputAge {
    private var readCount = 0
    private var markCount = 0
    private var markNs: Int64 = 0
    /// Since when what was read last has been there, at the latest; nil where it may just have come.
    private(set) var arrivedByNs: Int64?

    /// How much may be read so that all of it, or nothing, is known to have waited.
    func room(atMost count: Int) -> Int { markCount > readCount ? min(count, markCount - readCount) : count }

    /// So much was read.
    /// - Parameter left: What is still there, asked only where that is to be noted.
    /// - Returns: whether more may be there.
    mutating func read(_ count: Int, room: Int, nowNs: Int64, left: () -> Int) -> Bool {
        arrivedByNs = markCount > readCount ? markNs : nil
        readCount += count
        // A read that found less than it had room for has emptied the socket.
        guard count == room else { return false }
        if readCount >= markCount {
            markCount = readCount + left()
            markNs = nowNs
        }
        return true
    }
}
