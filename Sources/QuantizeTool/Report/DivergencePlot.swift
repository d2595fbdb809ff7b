internal import Models

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// How far models are from a reference, token by token: the divergence below which a part of the
/// tokens lies, a line for each model.
struct DivergencePlot: Plot {
    private let series: [(name: String, divergences: [Double])]
    let title = "Divergence of tokens"

    private static let parts = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    /// Less than this is rounding.
    private static let least = 1e-9

    /// Plots comparisons; nil if there are none.
    init?(_ comparisons: [(name: String, comparison: Evaluation.Comparison)]) {
        guard !comparisons.isEmpty else { return nil }
        series = comparisons.map { name, comparison in
            (name, Self.parts.map { comparison.divergence(percentile: $0) })
        }
    }

    var explanation: String {
        "Divergence in nats, on a logarithmic scale, below which a part of the tokens lies, for "
            + series.map(\.name).joined(separator: ", ") + "."
    }

    var table: TextTable {
        var table = TextTable(columns: [.number("tokens")] + series.map { .number($0.name) })
        table.rows = Self.parts.enumerated().map { index, part in
            ["\(Quantity.decimal(100 * part, 0)) %"]
                + series.map { Quantity.significant($0.divergences[index], 3) }
        }
        return table
    }

    var drawing: SVGDrawing {
        func logarithm(_ divergence: Double) -> Double { log10(max(divergence, Self.least)) }

        let logarithms = series.flatMap { $0.divergences.map(logarithm) }
        let axis = Axis(covering: (logarithms.min() ?? -6)...(logarithms.max() ?? 0))
        let curves = series.map { series in
            let points = zip(Self.parts, series.divergences).map { part, divergence in
                CurveChart.Point(
                    x: part,
                    y: logarithm(divergence),
                    tip: "\(series.name): \(Quantity.decimal(100 * part, 0)) % of tokens below "
                        + Quantity.significant(divergence, 3)
                )
            }
            return (series.name, points)
        }
        return CurveChart(
            series: curves,
            axis: axis,
            axisLabels: axis.ticks.map { Quantity.significant(pow(10, $0), 2) },
            columnLabels: [0, 0.25, 0.5, 0.75, 1].map {
                ($0, "\(Quantity.decimal(100 * $0, 0)) %")
            },
            columnTitle: "tokens",
            axisTitle: "KL divergence, nats"
        ).drawing
    }
}
