/// What the body throws; nil where it does not. (A typed closure handed to `#expect(throws:)` crashes the 6.3.1 compiler.)
func failure<Success, Failure: Error>(of body: () throws(Failure) -> Success) -> Failure? {
    do throws(Failure) {
        _ = try body()
        return nil
    } catch {
        return error
    }
}
