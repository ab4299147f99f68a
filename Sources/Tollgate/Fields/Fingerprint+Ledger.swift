import Ledger

extension Fingerprint {
    package mutating func add(_ id: StepID) {
        add(id.high)
        add(id.low)
    }

    /// An id that may be absent.
    package mutating func add(_ id: StepID?) {
        add(id != nil)
        if let id { add(id) }
    }

    /// Quantities, sorted by unit as `FieldCheck.quantities` gives them.
    package mutating func add(_ quantities: [Quantity]) {
        add(Int64(quantities.count))
        for quantity in quantities {
            add(quantity.unit)
            add(quantity.count)
        }
    }

    /// Labels, sorted by key as `FieldCheck.labels` gives them.
    package mutating func add(_ labels: [Label]) {
        add(Int64(labels.count))
        for label in labels {
            add(label.key)
            add(label.value)
        }
    }
}
