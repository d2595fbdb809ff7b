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
        let names = series.map { TextTable.shortened($0.name, to: 40) }
        let legendWidth = Double(names.map(\.count).max() ?? 0) * 7.2
        var drawing = SVGDrawing(
            width: max(760, 652 + legendWidth + 8),
            height: max(330, 36 + 20 * Double(series.count))
        )
        let frame = (left: 66.0, right: 620.0, top: 16.0, bottom: 280.0)
        let logarithms = series.flatMap { $0.divergences.map { log10(max($0, Self.least)) } }
        let axis = Axis(covering: (logarithms.min() ?? -6)...(logarithms.max() ?? 0))

        func x(_ part: Double) -> Double { frame.left + (frame.right - frame.left) * part }
        func y(_ divergence: Double) -> Double {
            let place = axis.position(of: log10(max(divergence, Self.least)))
            return frame.bottom - (frame.bottom - frame.top) * place
        }

        for tick in axis.ticks {
            let divergence = pow(10, tick)
            let height = y(divergence)
            drawing.line(from: (frame.left, height), to: (frame.right, height), "grid")
            drawing.text(
                Quantity.significant(divergence, 2),
                x: frame.left - 8,
                y: height + 4,
                anchor: .end
            )
        }
        for part in [0, 0.25, 0.5, 0.75, 1] {
            drawing.text(
                "\(Quantity.decimal(100 * part, 0)) %",
                x: x(part),
                y: frame.bottom + 18,
                anchor: .middle
            )
        }
        drawing.text("tokens", x: (frame.left + frame.right) / 2, y: 320, anchor: .middle)
        drawing.text(
            "KL divergence, nats",
            x: 14,
            y: (frame.top + frame.bottom) / 2,
            anchor: .middle,
            isTurned: true
        )
        for (index, series) in series.enumerated() {
            let points = zip(Self.parts, series.divergences).map { (x: x($0), y: y($1)) }
            drawing.polyline(points, "curve \(SVGDrawing.seriesClass(index))")
            for (part, (divergence, position)) in zip(Self.parts, zip(series.divergences, points)) {
                let tip =
                    "\(series.name): \(Quantity.decimal(100 * part, 0)) % of tokens below "
                    + Quantity.significant(divergence, 3)
                drawing.mark(index, at: position, tip: tip)
            }
            let row = Double(index)
            drawing.mark(index, at: (640, 26 + row * 20))
            drawing.text(names[index], x: 652, y: 30 + row * 20, "label ink")
        }
        return drawing
    }
}
