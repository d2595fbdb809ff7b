/// How often each code occurs, as shares: an even use of the codes is a good use of the bits.
struct CodeHistogramPlot: Plot {
    /// The codes in the order of their values, with how often each occurs.
    let bars: [(label: String, count: Int)]
    let title: String

    /// Shows counts of codes; nil if none was counted.
    init?(format: String, bars: [(label: String, count: Int)]) {
        guard bars.contains(where: { $0.count > 0 }) else { return nil }
        self.bars = bars
        title = "How often each \(format) code occurs"
    }

    private var total: Double { bars.reduce(0) { $0 + Double($1.count) } }

    /// Bits of information in a code: the entropy of the shares.
    var entropy: Double {
        bars.reduce(0) { sum, bar in
            let share = Double(bar.count) / total
            return share > 0 ? sum - share * logarithm(share) : sum
        }
    }

    var explanation: String {
        "Share of each of \(bars.count) codes, in the order of their values; the codes carry "
            + "\(Quantity.decimal(entropy, 2)) bits of information each."
    }

    var table: TextTable {
        var table = TextTable(columns: [.number("value"), .number("count"), .number("share")])
        for bar in bars where bars.count <= 32 || bar.count > 0 {
            let share = Quantity.percent(Double(bar.count) / total)
            table.rows.append([bar.label, Quantity.count(bar.count), share])
        }
        return table
    }

    var drawing: SVGDrawing {
        var drawing = SVGDrawing(width: 760, height: 280)
        let frame = (left: 66.0, right: 744.0, top: 16.0, bottom: 226.0)
        let largest = bars.map { Double($0.count) / total }.max() ?? 1
        let axis = Axis(covering: 0...(largest * 100), count: 4)
        let step = (frame.right - frame.left) / Double(bars.count)
        for (tick, label) in zip(axis.ticks, axis.labels) {
            let y = frame.bottom - (frame.bottom - frame.top) * axis.position(of: tick)
            drawing.line(from: (frame.left, y), to: (frame.right, y), "grid")
            drawing.text(label + " %", x: frame.left - 8, y: y + 4, anchor: .end)
        }
        let labelStride = max(1, bars.count / 16)
        for (index, bar) in bars.enumerated() {
            let share = Double(bar.count) / total
            let height = (frame.bottom - frame.top) * axis.position(of: share * 100)
            let x = frame.left + Double(index) * step
            let gap = bars.count > 64 ? 0 : step * 0.14
            drawing.rectangle(
                x: x + gap,
                y: frame.bottom - height,
                width: step - 2 * gap,
                height: height,
                "bar series-0",
                tip: "\(bar.label): \(Quantity.percent(share))"
            )
            if index % labelStride == 0 {
                drawing.text(bar.label, x: x + step / 2, y: frame.bottom + 18, anchor: .middle)
            }
        }
        drawing.text(
            "value of the code",
            x: (frame.left + frame.right) / 2,
            y: 268,
            anchor: .middle
        )
        return drawing
    }

    /// The logarithm to base 2 of a number in (0, 1], from its exponent and a series: the entropy
    /// is shown with two digits and must not depend on the system's mathematics library.
    private func logarithm(_ value: Double) -> Double {
        let ratio = (value.significand - 1) / (value.significand + 1)
        var term = ratio
        var sum = 0.0
        for divisor in stride(from: 1.0, through: 41, by: 2) {
            sum += term / divisor
            term *= ratio * ratio
        }
        return Double(value.exponent) + 2 * sum * 1.4426950408889634
    }
}
