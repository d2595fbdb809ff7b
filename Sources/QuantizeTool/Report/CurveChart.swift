/// Curves over a common axis, with a legend beside them.
struct CurveChart {
    /// A point of a curve.
    struct Point {
        /// From the left end to the right, 0 to 1.
        let x: Double
        /// A value of the axis.
        let y: Double
        /// What is told where somebody points at it.
        let tip: String
    }

    let series: [(name: String, points: [Point])]
    let axis: Axis
    /// What stands at the ticks of the axis.
    let axisLabels: [String]
    /// What stands below, each at its place from 0 to 1.
    let columnLabels: [(x: Double, label: String)]
    let columnTitle: String
    let axisTitle: String
    /// Room between the frame and the first and last points.
    var inset = 0.0

    var drawing: SVGDrawing {
        // A line of the legend for every curve, as wide as the longest name.
        let names = series.map { TextTable.shortened($0.name, to: 40) }
        let legendWidth = Double(names.map(\.count).max() ?? 0) * 7.2
        var drawing = SVGDrawing(
            width: max(760, 652 + legendWidth + 8),
            height: max(330, 36 + 20 * Double(series.count))
        )
        let frame = (left: 66.0, right: 620.0, top: 16.0, bottom: 280.0)

        func x(_ part: Double) -> Double {
            frame.left + inset + (frame.right - frame.left - 2 * inset) * part
        }
        func y(_ value: Double) -> Double {
            frame.bottom - (frame.bottom - frame.top) * axis.position(of: value)
        }

        for (tick, label) in zip(axis.ticks, axisLabels) {
            drawing.line(from: (frame.left, y(tick)), to: (frame.right, y(tick)), "grid")
            drawing.text(label, x: frame.left - 8, y: y(tick) + 4, anchor: .end)
        }
        for column in columnLabels {
            drawing.text(column.label, x: x(column.x), y: frame.bottom + 18, anchor: .middle)
        }
        drawing.text(columnTitle, x: (frame.left + frame.right) / 2, y: 320, anchor: .middle)
        drawing.text(
            axisTitle,
            x: 14,
            y: (frame.top + frame.bottom) / 2,
            anchor: .middle,
            isTurned: true
        )
        for (index, series) in series.enumerated() {
            let positions = series.points.map { (x: x($0.x), y: y($0.y)) }
            drawing.polyline(positions, "curve \(SVGDrawing.seriesClass(index))")
            for (point, position) in zip(series.points, positions) {
                drawing.mark(index, at: position, tip: point.tip)
            }
            let row = Double(index)
            drawing.mark(index, at: (640, 26 + row * 20))
            drawing.text(names[index], x: 652, y: 30 + row * 20, "label ink")
        }
        return drawing
    }
}
