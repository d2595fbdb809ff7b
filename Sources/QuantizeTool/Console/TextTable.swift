/// A table for people: titled columns, each to the left or to the right.
struct TextTable: Sendable {
    /// One column.
    struct Column: Sendable {
        /// What stands above it.
        let title: String
        /// Whether it holds numbers, which line up on the right.
        let isNumeric: Bool

        /// A column of words.
        static func text(_ title: String) -> Column { Column(title: title, isNumeric: false) }

        /// A column of numbers.
        static func number(_ title: String) -> Column { Column(title: title, isNumeric: true) }
    }

    /// The columns.
    let columns: [Column]
    /// The cells, row by row; as many in each as there are columns.
    var rows: [[String]] = []

    /// Returns the lines, two spaces between columns.
    ///
    /// The first column gives way if the table would be wider than `width`: what it holds is
    /// shortened in the middle.
    func lines(width: Int = .max) -> [String] {
        var widths = columns.map(\.title.count)
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
        }
        let excess = widths.reduce(0, +) + 2 * (columns.count - 1) - width
        if excess > 0 { widths[0] = max(16, widths[0] - excess) }
        let titles = line(columns.map(\.title), widths: widths)
        let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
        return [titles, rule] + rows.map { line($0, widths: widths) }
    }

    private func line(_ cells: [String], widths: [Int]) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let cell = TextTable.shortened(cell, to: widths[index])
            let padding = String(repeating: " ", count: widths[index] - cell.count)
            if index > 0 { line += "  " }
            line += columns[index].isNumeric ? padding + cell : cell + padding
        }
        while line.hasSuffix(" ") { line.removeLast() }
        return line
    }

    /// Returns text of at most `length` characters: its middle gives way to `…`.
    static func shortened(_ text: String, to length: Int) -> String {
        guard text.count > length else { return text }
        let tail = (length - 1) * 2 / 3
        return "\(text.prefix(length - 1 - tail))…\(text.suffix(tail))"
    }
}
