/// The size of the checkpoint before and after, each bar divided by what the bytes are.
struct SizePlot: Plot {
    /// One bar.
    struct Bar: Sendable {
        let label: String
        let parts: [(name: String, byteCount: Int)]

        var byteCount: Int { parts.reduce(0) { $0 + $1.byteCount } }
    }

    let bars: [Bar]
    let title = "Size before and after"

    var explanation: String {
        bars.map { bar in
            let parts = bar.parts.map { "\($0.name) \(Quantity.bytes($0.byteCount))" }
            return "\(bar.label) \(Quantity.bytes(bar.byteCount)): "
                + parts.joined(separator: ", ")
        }.joined(separator: "; ") + "."
    }

    private var partNames: [String] {
        var names: [String] = []
        for part in bars.flatMap(\.parts) where !names.contains(part.name) {
            names.append(part.name)
        }
        return names
    }

    var table: TextTable {
        var table = TextTable(
            columns: [.text("")] + partNames.map { .number($0) } + [.number("total")]
        )
        for bar in bars {
            let cells = partNames.map { name in
                bar.parts.first { $0.name == name }.map { Quantity.bytes($0.byteCount) } ?? "-"
            }
            table.rows.append([bar.label] + cells + [Quantity.bytes(bar.byteCount)])
        }
        return table
    }

    var drawing: SVGDrawing {
        var drawing = SVGDrawing(width: 760, height: Double(bars.count) * 48 + 40)
        let largest = Double(max(1, bars.map(\.byteCount).max() ?? 1))
        for (row, bar) in bars.enumerated() {
            let y = 8 + Double(row) * 48
            drawing.text(bar.label, x: 66, y: y + 23, "label ink", anchor: .end)
            var x = 76.0
            for part in bar.parts where part.byteCount > 0 {
                let width = 560 * Double(part.byteCount) / largest
                let index = partNames.firstIndex(of: part.name) ?? 0
                drawing.rectangle(
                    x: x,
                    y: y,
                    width: width,
                    height: 34,
                    "bar series-\(index)",
                    tip: "\(part.name): \(Quantity.bytes(part.byteCount))"
                )
                x += width
            }
            drawing.text(Quantity.bytes(bar.byteCount), x: x + 8, y: y + 23, "label ink")
        }
        var x = 76.0
        let y = Double(bars.count) * 48 + 14
        for (index, name) in partNames.enumerated() {
            drawing.rectangle(x: x, y: y, width: 12, height: 12, "bar series-\(index)")
            drawing.text(name, x: x + 18, y: y + 11)
            x += 40 + Double(name.count) * 7.5
        }
        return drawing
    }
}
