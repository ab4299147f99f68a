/// A hint such as ` (did you mean '--data'?)`, or nothing where no known name is near.
func suggestion(_ typed: String, among known: [String]) -> String {
    guard typed.utf8.count <= Limits.suggestedNameBytes else { return "" }
    let ranked = known.map { (name: $0, distance: editDistance(Array(typed.utf8), Array($0.utf8))) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= max(1, best.name.utf8.count / 3)
    else {
        return ""
    }
    return " (did you mean '\(best.name)'?)"
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to make one word of the other.
func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var older: [Int] = []
    var above = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var cost = min(above[j + 1] + 1, row[j] + 1, above[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, older[j - 1] + 1) }
            row.append(cost)
        }
        older = above
        above = row
    }
    return above[b.count]
}
