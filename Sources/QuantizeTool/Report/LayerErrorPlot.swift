/// The error of each quantized tensor over the layers of the model, a line for each kind of module.
struct LayerErrorPlot: Plot {
    /// One module kind, such as `q_proj`, and its error in each layer that has it.
    struct Series: Sendable {
        let name: String
        var points: [(layer: Int, error: Double)]
    }

    let series: [Series]
    /// How many tensors are left out because they have no error, such as norms that stay as they
    /// are: on the same scale they would squash all others.
    let exactCount: Int
    let title = "Error by layer"

    /// Groups tensors with an error by kind; nil if none of them belongs to a numbered layer.
    init?(_ tensors: [(name: String, error: Double)]) {
        var series: [Series] = []
        exactCount = tensors.count { $0.error == 0 }
        for (name, error) in tensors where error.isFinite && error > 0 {
            guard let (layer, kind) = LayerErrorPlot.place(of: name) else { continue }
            if let index = series.firstIndex(where: { $0.name == kind }) {
                series[index].points.append((layer, error))
            } else {
                series.append(Series(name: kind, points: [(layer, error)]))
            }
        }
        guard !series.isEmpty else { return nil }
        for index in series.indices { series[index].points.sort { $0.layer < $1.layer } }
        self.series = series
    }

    /// Splits `model.layers.7.mlp.up_proj.weight` into 7 and `up_proj`; nil without a number.
    static func place(of name: String) -> (layer: Int, kind: String)? {
        var parts = name.split(separator: ".").map(String.init)
        if parts.last == "weight" { parts.removeLast() }
        guard let index = parts.firstIndex(where: { Int($0) != nil }),
            let layer = Int(parts[index]), let kind = parts.last, index < parts.count - 1
        else { return nil }
        // Experts have numbers of their own; they share a line with their siblings' kind.
        return (layer, kind)
    }

    var explanation: String {
        let all = series.flatMap { $0.points.map(\.error) }
        let range =
            "\(Quantity.significant(all.min(), 3)) to \(Quantity.significant(all.max(), 3))"
        return "Relative root mean square error of each quantized tensor by layer, from \(range), "
            + "for \(series.map(\.name).joined(separator: ", "))."
            + (exactCount > 0 ? " \(exactCount) tensors without error are left out." : "")
    }

    var table: TextTable {
        var table = TextTable(columns: [.number("layer")] + series.map { .number($0.name) })
        let layers = Set(series.flatMap { $0.points.map(\.layer) }).sorted()
        for layer in layers {
            let cells = series.map { series in
                Quantity.significant(series.points.first { $0.layer == layer }?.error, 3)
            }
            table.rows.append(["\(layer)"] + cells)
        }
        return table
    }

    var drawing: SVGDrawing {
        let errors = series.flatMap { $0.points.map(\.error) }
        let low = errors.min() ?? 0
        let high = errors.max() ?? 1
        let margin = max((high - low) * 0.08, high * 0.01)
        let axis = Axis(covering: max(0, low - margin)...(high + margin))
        let lastLayer = max(series.flatMap { $0.points.map(\.layer) }.max() ?? 0, 1)

        func x(_ layer: Int) -> Double { Double(layer) / Double(lastLayer) }

        let curves = series.map { series in
            let points = series.points.map { layer, error in
                CurveChart.Point(
                    x: x(layer),
                    y: error,
                    tip: "\(series.name), layer \(layer): " + Quantity.significant(error, 4)
                )
            }
            return (series.name, points)
        }
        return CurveChart(
            series: curves,
            axis: axis,
            axisLabels: axis.labels,
            columnLabels: stride(from: 0, through: lastLayer, by: max(1, (lastLayer + 12) / 12))
                .map { (x($0), "\($0)") },
            columnTitle: "layer",
            axisTitle: "relative RMSE",
            inset: 14
        ).drawing
    }
}
