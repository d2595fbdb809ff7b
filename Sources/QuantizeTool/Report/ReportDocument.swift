/// A report before it is HTML or Markdown: titled sections of facts, tables and plots.
///
/// Holds results only: no dates, host names or paths, so that the same run makes the same report.
struct ReportDocument: Sendable {
    /// What the report is about.
    let title: String
    /// One sentence with the outcome.
    let summary: String
    /// The parts, in reading order.
    var sections: [Section] = []

    /// One part.
    struct Section: Sendable {
        /// Its heading.
        let title: String
        /// Its content, in reading order.
        let blocks: [Block]
    }

    /// One piece of content.
    enum Block: Sendable {
        /// A sentence or two.
        case paragraph(String)
        /// Names and values.
        case facts([Fact])
        /// A table with a caption.
        case table(TextTable, caption: String)
        /// A plot, with its numbers as a table for whoever cannot see it.
        case plot(any Plot)
    }

    /// A name and its value.
    struct Fact: Sendable, Equatable {
        /// What is told.
        let name: String
        /// How it is.
        let value: String

        /// Makes a fact.
        init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Appends a section, unless there is nothing in it.
    mutating func append(_ title: String, _ blocks: [Block]) {
        guard !blocks.isEmpty else { return }
        sections.append(Section(title: title, blocks: blocks))
    }
}

/// A picture of numbers that can also be told as a table.
protocol Plot: Sendable {
    /// The heading of the picture.
    var title: String { get }
    /// What is to be seen, in a sentence, for screen readers.
    var explanation: String { get }
    /// The numbers.
    var table: TextTable { get }
    /// The picture.
    var drawing: SVGDrawing { get }
}

extension [ReportDocument.Fact] {
    /// One line each, the values below one another.
    var lines: [String] {
        let width = map(\.name.count).max() ?? 0
        return map { fact in
            fact.name + String(repeating: " ", count: width - fact.name.count) + "  " + fact.value
        }
    }
}
