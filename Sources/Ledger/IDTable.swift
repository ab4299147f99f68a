/// Finds places by a step's id: an open hash table with linear probing, which costs a fraction of a `Dictionary` and is
/// on the way of every step.
///
/// Ids come from callers, who must not be able to make many of them meet in one place: the hash is keyed with what this
/// process drew when it started. Nothing that is seen from outside depends on the order in the table.
package struct IDTable: Sendable {
    private struct Cell {
        var id: StepID
        /// Negative where the cell is free.
        var place: Int
    }

    private var cells: [Cell] = []
    package private(set) var count = 0

    package init() {}

    package func find(_ id: StepID) -> Int? {
        guard count > 0 else { return nil }
        return cells.withUnsafeBufferPointer { cells in
            let cell = cells[Self.cell(of: id, in: cells)]
            return cell.place < 0 ? nil : cell.place
        }
    }

    /// The id is not in the table.
    package mutating func insert(_ id: StepID, _ place: Int) {
        precondition(place >= 0, "a place is no negative number")
        if cells.count < 2 * (count + 1) { grow() }
        let at = cells.withUnsafeBufferPointer { Self.cell(of: id, in: $0) }
        precondition(cells[at].place < 0, "an id is inserted twice")
        cells[at] = Cell(id: id, place: place)
        count += 1
    }

    /// Does nothing where the id is not in the table.
    package mutating func remove(_ id: StepID) {
        guard count > 0 else { return }
        cells.withUnsafeMutableBufferPointer { cells in
            let mask = cells.count - 1
            var hole = Self.cell(of: id, in: UnsafeBufferPointer(cells))
            guard cells[hole].place >= 0 else { return }
            count -= 1
            // What was pushed past the hole by a collision moves back into it, so that searches may end at a free cell.
            var next = (hole + 1) & mask
            while cells[next].place >= 0 {
                let home = Self.hash(cells[next].id) & mask
                if (next &- home) & mask >= (next &- hole) & mask {
                    cells[hole] = cells[next]
                    hole = next
                }
                next = (next + 1) & mask
            }
            cells[hole].place = -1
        }
    }

    /// Makes room for as many again as there are, and no more.
    mutating func shrink() {
        if count == 0 {
            cells = []
        } else {
            var size = 8
            while size < 4 * count { size *= 2 }
            if size < cells.count { move(to: size) }
        }
    }

    private mutating func grow() {
        move(to: max(8, 2 * cells.count))
    }

    private mutating func move(to size: Int) {
        let old = cells
        cells = Array(repeating: Cell(id: .zero, place: -1), count: size)
        cells.withUnsafeMutableBufferPointer { cells in
            for cell in old where cell.place >= 0 {
                cells[Self.cell(of: cell.id, in: UnsafeBufferPointer(cells))] = cell
            }
        }
    }

    /// The cell that has the id, or the free one where it belongs. At least half of the cells are free.
    @inline(__always)
    private static func cell(of id: StepID, in cells: UnsafeBufferPointer<Cell>) -> Int {
        let mask = cells.count - 1
        var at = hash(id) & mask
        while cells[at].place >= 0, cells[at].id != id { at = (at + 1) & mask }
        return at
    }

    private static let key = (high: UInt64.random(in: .min ... .max), low: UInt64.random(in: .min ... .max))

    /// One multiplication that folds both halves, as wyhash does.
    @inline(__always)
    private static func hash(_ id: StepID) -> Int {
        let key = key
        let product = (id.high ^ key.high).multipliedFullWidth(by: id.low ^ key.low)
        return Int(truncatingIfNeeded: product.high ^ product.low)
    }
}
