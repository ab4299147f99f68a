/// Who waits for a step or a report. What is not decided yet when nobody waits any more never is: work for a caller that has
/// given up delays those who have not.
package protocol StepCaller: AnyObject, Sendable {
    /// Whether it cancelled, or its deadline has passed. Asked from any thread, and only about what had to wait.
    var hasGone: Bool { get }
}
