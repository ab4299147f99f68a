/// Some numbers of one kind that a server tells of itself, as Prometheus has them: a name, what it means, and one sample, or
/// one for each value of a label. Nothing secret and no tenant's name goes in here: whoever reaches the port may read it.
package struct MetricFamily: Sendable {
    /// Whether a number only grows.
    package enum Kind: String, Sendable {
        case counter, gauge
    }

    /// One number, under the value of the family's label where it has one.
    package struct Sample: Sendable {
        package let label: String?
        package let value: Int

        package init(label: String? = nil, value: Int) {
            self.label = label
            self.value = value
        }
    }

    /// In Prometheus' form: `tollgate_<what>_<unit>`, with `_total` at the end of a counter's.
    package let name: String
    /// What it counts, in one sentence without a full stop.
    package let help: String
    package let kind: Kind
    /// The label that tells the samples apart.
    package let label: String?
    package let samples: [Sample]

    /// A family of one number.
    package init(_ name: String, _ kind: Kind, _ help: String, _ value: Int) {
        self.init(name, kind, help, by: nil, [Sample(value: value)])
    }

    /// A family with a label.
    package init(_ name: String, _ kind: Kind, _ help: String, by label: String?, _ samples: [Sample]) {
        precondition(kind == .gauge || name.hasSuffix("_total"), "a counter's name ends in _total")
        self.name = name
        self.kind = kind
        self.help = help
        self.label = label
        self.samples = samples
    }
}

/// Tells some of a server's numbers as they stand. Called on a loop's thread for each scrape: it must be quick.
package typealias MetricsSource = @Sendable () -> [MetricFamily]

/// The text that Prometheus reads, format 0.0.4.
enum MetricsText {
    static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    static func of(_ families: [MetricFamily]) -> String {
        var text = ""
        for family in families {
            text += "# HELP \(family.name) \(escaped(family.help))\n# TYPE \(family.name) \(family.kind.rawValue)\n"
            for sample in family.samples {
                var labels = ""
                if let label = family.label, let value = sample.label {
                    labels = "{\(label)=\"\(escaped(value).replacing("\"", with: "\\\""))\"}"
                }
                text += "\(family.name)\(labels) \(sample.value)\n"
            }
        }
        return text
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }
}
