extension Duration {
    /// The span in whole nanoseconds; what does not fit is the largest or the smallest there is.
    var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let whole = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let sum = whole.partialValue.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard !whole.overflow, !sum.overflow else { return seconds > 0 ? .max : .min }
        return sum.partialValue
    }
}
