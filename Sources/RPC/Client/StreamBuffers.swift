/// The messages of a streaming call on their way out, until the stream takes them. Pure; the call holds it under its lock.
struct OutgoingMessages {
    private var frames: [[UInt8]] = []
    private var first = 0
    /// Bytes of the frames that wait.
    private(set) var byteCount = 0
    /// Whether the caller said that no message follows.
    private(set) var isFinished = false
    /// Whether that was passed on to the stream.
    private var endWasTaken = false
    /// What was taken since the last beginning, so that the call can be sent again; nil once it grew too large.
    private var replay: [[UInt8]]? = []
    private var replayBytes = 0

    /// Whether a sender should wait before it adds more.
    var isFull: Bool { byteCount >= Limits.sendBufferBytes }
    /// Whether `rewind()` can bring back all that was taken.
    var canRewind: Bool { replay != nil }

    mutating func append(_ frame: [UInt8]) {
        guard !isFinished else { return }
        frames.append(frame)
        byteCount += frame.count
    }

    mutating func finish() { isFinished = true }

    /// The next thing to send: a frame, the end, or both at once; nil where there is nothing now.
    mutating func take() -> (frame: [UInt8], isLast: Bool)? {
        guard first < frames.count else {
            guard isFinished, !endWasTaken else { return nil }
            endWasTaken = true
            return ([], true)
        }
        let frame = frames[first]
        frames[first] = []
        first += 1
        byteCount -= frame.count
        remember(frame)
        if first == frames.count {
            frames.removeAll(keepingCapacity: true)
            first = 0
            endWasTaken = isFinished
        } else if first >= 64, first * 2 >= frames.count {
            frames.removeSubrange(..<first)
            first = 0
        }
        return (frame, endWasTaken)
    }

    /// The server has begun to answer: nothing will be sent again.
    mutating func commit() { replay = nil }

    /// Puts back what was taken, for another attempt.
    mutating func rewind() {
        guard let sent = replay else { return }
        frames = sent + frames[first...]
        first = 0
        byteCount += replayBytes
        replay = []
        replayBytes = 0
        endWasTaken = false
    }

    /// The call is over; frees the memory.
    mutating func drop() {
        frames = []
        first = 0
        byteCount = 0
        replay = nil
        isFinished = true
        endWasTaken = true
    }

    private mutating func remember(_ frame: [UInt8]) {
        guard replay != nil else { return }
        replayBytes += frame.count
        guard replayBytes <= Limits.replayBytes else {
            replay = nil
            return
        }
        replay?.append(frame)
    }
}

/// The messages of a streaming call that came and that nobody has taken yet. Flow control bounds them: their bytes are
/// credited to the server only when they are taken.
struct IncomingMessages {
    private var messages: [[UInt8]] = []
    private var first = 0
    /// Bytes of taken messages, with their prefixes, that the server was not told of yet.
    private(set) var uncreditedBytes = 0

    var isEmpty: Bool { first == messages.count }

    mutating func append(_ message: [UInt8]) { messages.append(message) }

    mutating func take() -> [UInt8]? {
        guard first < messages.count else { return nil }
        let message = messages[first]
        messages[first] = []
        first += 1
        if first == messages.count {
            messages.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= 64, first * 2 >= messages.count {
            messages.removeSubrange(..<first)
            first = 0
        }
        uncreditedBytes += message.count + MessageDeframer.prefixBytes
        return message
    }

    /// Whether enough was taken to tell the server. What stays below that is little against the stream's window.
    var creditIsDue: Bool { uncreditedBytes >= Limits.creditBatchBytes }

    mutating func takeCredit() -> Int {
        defer { uncreditedBytes = 0 }
        return uncreditedBytes
    }

    mutating func drop() {
        messages = []
        first = 0
    }
}
