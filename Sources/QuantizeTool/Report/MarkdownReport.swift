/// The report as Markdown: tables instead of plots.
enum MarkdownReport {
    /// Returns the text.
    static func text(_ document: ReportDocument) -> String {
        var text =
            "<!-- \(ReportFile.mark) -->\n# \(escaped(document.title))\n\n\(escaped(document.summary))\n"
        for section in document.sections {
            text += "\n## \(escaped(section.title))\n"
            for block in section.blocks {
                switch block {
                case .paragraph(let words): text += "\n\(escaped(words))\n"
                case .facts(let facts):
                    var table = TextTable(columns: [.text(""), .text("")])
                    table.rows = facts.map { [$0.name, $0.value] }
                    text += "\n\(self.text(table))"
                case .table(let table, let caption):
                    text += "\n\(escaped(caption))\n\n\(self.text(table))"
                case .plot(let plot):
                    text += "\n### \(escaped(plot.title))\n\n\(escaped(plot.explanation))\n\n"
                    text += self.text(plot.table)
                }
            }
        }
        return text
    }

    private static func text(_ table: TextTable) -> String {
        let titles = table.columns.map { escaped($0.title) }.joined(separator: " | ")
        let rule = table.columns.map { $0.isNumeric ? "---:" : "---" }.joined(separator: " | ")
        let rows = table.rows.map { row in
            "| \(row.map(escaped).joined(separator: " | ")) |"
        }
        return (["| \(titles) |", "| \(rule) |"] + rows).joined(separator: "\n") + "\n"
    }

    /// Returns text in which no character starts Markdown or HTML.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\", "`", "*", "_", "[", "]", "<", ">", "|", "#":
                result += "\\"
                result.unicodeScalars.append(character)
            case "&": result += "&amp;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
