/// What a conversion or a comparison found, tensor by tensor, as a report.
struct QualityReport: Sendable {
    /// One tensor.
    struct Row: Sendable {
        /// The weight.
        let name: String
        /// What became of it: a format, or why it was kept.
        let action: String
        /// The numbers it holds.
        let elementCount: Int
        /// The bytes it takes in the new file, scales and tables included.
        let storedByteCount: Int
        /// `sqrt(Σ(x-y)² / Σx²)`; nil if it was not measured, or nothing but zeros.
        let relativeRMSE: Double?
        /// `max |x-y|`; nil if it was not measured.
        let maximumError: Double?

        /// Bits for one number.
        var bitsPerWeight: Double? {
            elementCount > 0 ? Double(storedByteCount) * 8 / Double(elementCount) : nil
        }
    }

    /// The heading.
    let title: String
    /// The outcome in a sentence.
    let summary: String
    /// The outcome in numbers.
    var totals: [ReportDocument.Fact] = []
    /// The options, defaults filled in.
    var options: [ReportDocument.Fact] = []
    /// All tensors, in the order of the file.
    var rows: [Row] = []
    /// The use of the codes, a picture for each format.
    var histograms: [CodeHistogramPlot] = []
    /// The sizes before and after; nil if there is no before.
    var sizes: SizePlot?
    /// What is worth knowing.
    var warnings: [String] = []

    /// The report, ready to be written in any format.
    var document: ReportDocument {
        var document = ReportDocument(title: title, summary: summary)
        document.append("Totals", totals.isEmpty ? [] : [.facts(totals)])
        document.append("Warnings", warnings.map { .paragraph($0) })
        document.append("Size", sizes.map { [.plot($0)] } ?? [])
        let errors = rows.compactMap { row in row.relativeRMSE.map { (row.name, $0) } }
        document.append("Error", LayerErrorPlot(errors).map { [.plot($0)] } ?? [])
        document.append("Codes", histograms.map { .plot($0) })
        document.append(
            "Tensors",
            rows.isEmpty ? [] : [.table(table, caption: "Every tensor, in the order of the file")]
        )
        document.append("Options", options.isEmpty ? [] : [.facts(options)])
        return document
    }

    /// The table of tensors.
    var table: TextTable {
        var table = TextTable(
            columns: [
                .text("tensor"), .text("action"), .number("weights"), .number("bytes"),
                .number("bits/weight"), .number("relative RMSE"), .number("max error"),
            ]
        )
        table.rows = rows.map { row in
            [
                row.name, row.action, Quantity.count(row.elementCount),
                Quantity.count(row.storedByteCount), Quantity.decimal(row.bitsPerWeight, 3),
                Quantity.significant(row.relativeRMSE, 4),
                Quantity.significant(row.maximumError, 4),
            ]
        }
        return table
    }
}
