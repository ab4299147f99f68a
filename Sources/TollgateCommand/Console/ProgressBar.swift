/// A line that is painted again and again while work goes on.
struct ProgressBar {
    /// How wide the bar itself is.
    private static let width = 28

    /// The line for so much done: bar, part, counts, speed and what time is left.
    static func line(done: Int, of total: Int, elapsedNs: Int64, steps: Int) -> String {
        let part = total == 0 ? 1 : Double(done) / Double(total)
        let filled = Int(part * Double(width))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        let seconds = Double(elapsedNs) / 1e9
        var line = "[\(bar)] \(padded("\(Int(part * 100))", to: 3, alignment: .right)) %  "
        line += "\(grouped(done)) of \(grouped(total)) calls"
        if seconds > 0.2 {
            line += "  \(grouped(Int(Double(steps) / seconds))) steps/s"
            if done > 0, done < total { line += "  \(Int(seconds / part - seconds) + 1) s left" }
        }
        return line
    }

    /// Puts the cursor at the line's start and clears what stood there.
    static let clear = "\r\u{1B}[2K"
}
