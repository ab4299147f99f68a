/// The sizes of the calls that a run meters: every 301st row of Azure's trace of LLM conversations, whose means they keep.
///
/// Source: AzureLLMInferenceTrace_conv.csv, https://github.com/Azure/AzurePublicDataset
enum TraceRows {
    /// Tokens of one call.
    struct Row {
        let context: Int64
        let generated: Int64
    }

    /// The generated tokens that each call reserves for: the most in the trace.
    static let generatedMax: Int64 = 1_000

    /// What a token costs by the catalog that is built into the server, in micros.
    static let contextMicros: Int64 = 1_000
    static let generatedMicros: Int64 = 5_000

    static let all: [Row] = pairs.map { Row(context: $0.0, generated: $0.1) }

    private static let pairs: [(Int64, Int64)] = [
        (381, 84), (1147, 396), (1129, 414), (4075, 28), (6066, 74), (1013, 439), (1116, 401), (4084, 81),
        (1207, 400), (429, 100), (4094, 40), (91, 16), (2354, 53), (4087, 68), (1112, 397), (1057, 442), (1216, 391),
        (404, 113), (200, 161), (1314, 231), (1109, 390), (1103, 402), (381, 93), (424, 94), (1002, 391), (407, 95),
        (1165, 442), (379, 95), (374, 84), (396, 102), (889, 403), (398, 96), (408, 87), (375, 67), (379, 84),
        (403, 100), (403, 97), (4076, 57), (4080, 70), (181, 221), (1313, 215), (1016, 373), (203, 217), (214, 51),
        (217, 138), (419, 92), (1068, 514), (1083, 398), (1119, 414), (219, 75), (405, 107), (208, 129), (405, 94),
        (1779, 129), (5158, 122), (1081, 410), (120, 12), (396, 101), (1134, 414), (2204, 45), (985, 414),
        (1181, 434), (317, 75), (408, 87), (200, 163),
    ]
}

extension TraceRows.Row {
    /// What a Reserve for this call must hold, in micros.
    var heldMicros: Int64 {
        context * TraceRows.contextMicros + TraceRows.generatedMax * TraceRows.generatedMicros
    }

    /// What its Commit must charge, in micros.
    var chargedMicros: Int64 { context * TraceRows.contextMicros + generated * TraceRows.generatedMicros }
}

/// The sizes of calls, for those who write books without a server.
package enum BenchTrace {
    package static let generatedMax = TraceRows.generatedMax

    /// Tokens of the call of that number; the rows come again and again.
    package static func context(_ number: Int) -> Int64 { TraceRows.all[number % TraceRows.all.count].context }
    package static func generated(_ number: Int) -> Int64 { TraceRows.all[number % TraceRows.all.count].generated }
}
