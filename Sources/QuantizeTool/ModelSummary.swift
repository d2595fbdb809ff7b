internal import CheckpointIO

/// What a command that works through a model found, in the form in which it is told: as text, as
/// JSON and as a report.
struct ModelSummary: Sendable {
    /// Where the bytes are.
    struct Sizes: Sendable {
        /// Weights that are (or were) quantized.
        var quantized = 0
        /// Their scales, tables and states.
        var scales = 0
        /// All other tensors.
        var kept = 0

        /// All tensors.
        var total: Int { quantized + scales + kept }
    }

    /// The command, for example `convert`.
    let command: String
    /// The name of the model.
    let modelName: String
    /// The outcome in a sentence, with its numbers.
    var sentence = ""
    /// All weights, in the order of the file.
    var rows: [QualityReport.Row] = []
    /// The options, defaults filled in.
    var options: [ReportDocument.Fact] = []
    /// The tensors' bytes before; nil if there is no before.
    var before: Sizes?
    /// The tensors' bytes after.
    var after = Sizes()
    /// Bytes of the files written, compressed if they are; nil if none was.
    var fileByteCount: Int?
    /// Numbers that are quantized.
    var quantizedWeightCount = 0
    /// `sqrt(Σ(x-y)² / Σx²)` over all quantized weights; nil if it was not measured.
    var relativeRMSE: Double?
    /// `max |x-y|` over all quantized weights; nil if it was not measured.
    var maximumError: Double?
    /// The use of the codes, by format.
    var histograms: [(format: String, bars: [(label: String, count: Int)])] = []
    /// What is worth knowing.
    var warnings: [String] = []

    /// Bits for one quantized weight, scales and tables included; nil if there is none.
    var bitsPerQuantizedWeight: Double? {
        guard quantizedWeightCount > 0 else { return nil }
        return Double((after.quantized + after.scales) * 8) / Double(quantizedWeightCount)
    }

    /// The outcome in numbers, as people read them.
    var facts: [ReportDocument.Fact] {
        var facts: [ReportDocument.Fact] = []
        if let before {
            facts.append(.init("tensors before", Quantity.bytes(before.total)))
        }
        let label = before == nil ? "tensors" : "tensors after"
        facts.append(.init(label, Quantity.bytes(after.total)))
        if let before, after.total > 0 {
            let ratio = Double(before.total) / Double(after.total)
            facts.append(.init("ratio", Quantity.decimal(ratio, 2)))
        }
        if let fileByteCount {
            facts.append(.init("files written", Quantity.bytes(fileByteCount)))
            if fileByteCount < after.total {
                let ratio = Double(after.total) / Double(fileByteCount)
                facts.append(.init("zstd ratio", Quantity.decimal(ratio, 3)))
            }
        }
        if let bits = bitsPerQuantizedWeight {
            facts.append(.init("quantized weights", Quantity.count(quantizedWeightCount)))
            facts.append(.init("bits per quantized weight", Quantity.decimal(bits, 3)))
        }
        if let relativeRMSE {
            facts.append(.init("relative RMSE", Quantity.significant(relativeRMSE, 4)))
        }
        if let worst = worstRow, rows.count > 1 {
            let error = Quantity.significant(worst.relativeRMSE, 4)
            facts.append(.init("largest relative RMSE", error))
            facts.append(.init("worst tensor", worst.name))
        }
        if let maximumError {
            facts.append(.init("largest error", Quantity.significant(maximumError, 4)))
        }
        return facts
    }

    /// The tensor with the largest relative error; nil if none has any.
    private var worstRow: QualityReport.Row? {
        rows.filter { ($0.relativeRMSE ?? 0) > 0 }
            .max { ($0.relativeRMSE ?? 0) < ($1.relativeRMSE ?? 0) }
    }

    private var title: String {
        let words = [
            "convert": "Quantization", "dequantize": "Dequantization", "verify": "Verification",
            "loftq": "LoftQ",
        ]
        return "\(words[command] ?? command) of \(Name.printable(modelName))"
    }

    /// The report.
    var report: ReportDocument {
        var report = QualityReport(
            title: title,
            summary: sentence
        )
        report.totals = facts
        report.options = options
        report.rows = rows
        report.histograms = histograms.compactMap(CodeHistogramPlot.init)
        report.warnings = warnings
        if let before {
            report.sizes = SizePlot(
                bars: [
                    SizePlot.Bar(label: "before", parts: ModelSummary.parts(before)),
                    SizePlot.Bar(label: "after", parts: ModelSummary.parts(after)),
                ]
            )
        }
        return report.document
    }

    /// The same for programs: nothing in it depends on time, place or threads.
    var json: JSONObject {
        var totals: [(Name, JSONValue)] = []
        if let before { totals.append(("tensor_bytes_before", .integer(before.total))) }
        totals.append(("tensor_bytes", .integer(after.total)))
        if let fileByteCount { totals.append(("file_bytes", .integer(fileByteCount))) }
        totals += [
            ("quantized_weights", .integer(quantizedWeightCount)),
            ("bits_per_quantized_weight", .number(bitsPerQuantizedWeight)),
            ("relative_rmse", .number(relativeRMSE)),
            ("max_error", .number(maximumError)),
        ]
        let codes = histograms.map { histogram in
            JSONValue.object([
                ("format", .string(histogram.format)),
                ("values", .array(histogram.bars.map { .string($0.label) })),
                ("counts", .array(histogram.bars.map { .integer($0.count) })),
            ])
        }
        return JSONObject([
            ("command", .string(command)),
            ("model", .string(modelName)),
            ("options", .object(optionMembers)),
            ("totals", .object(totals)),
            ("tensors", .array(rows.map(ModelSummary.json))),
            ("codes", .array(codes)),
            ("warnings", .array(warnings.map(JSONValue.string))),
        ])
    }

    /// The options; those that may be repeated are lists, however often they were given.
    private var optionMembers: [(Name, JSONValue)] {
        var members: [(name: String, values: [JSONValue])] = []
        for option in options {
            if let index = members.firstIndex(where: { $0.name == option.name }) {
                members[index].values.append(.string(option.value))
            } else {
                members.append((option.name, [.string(option.value)]))
            }
        }
        return members.map { name, values in
            let isList = values.count > 1 || QuantizationOptions.repeatableFacts.contains(name)
            return (Name(name), isList ? .array(values) : values[0])
        }
    }

    /// The tensors and what is to become of them, as a table that fits a terminal.
    var planTable: TextTable {
        var table = TextTable(
            columns: [.text("tensor"), .text("becomes"), .number("weights"), .number("bytes")]
        )
        table.rows = rows.map { row in
            [
                row.name, row.action, Quantity.count(row.elementCount),
                Quantity.bytes(row.storedByteCount),
            ]
        }
        return table
    }

    /// The tensors with an error, as a table that fits a terminal.
    var errorTable: TextTable {
        var table = TextTable(
            columns: [
                .text("tensor"), .text("stored as"), .number("bits"), .number("rel. RMSE"),
                .number("max error"),
            ]
        )
        table.rows = rows.filter { $0.maximumError != nil }.map { row in
            [
                row.name, row.action, Quantity.decimal(row.bitsPerWeight, 2),
                Quantity.significant(row.relativeRMSE, 3),
                Quantity.significant(row.maximumError, 3),
            ]
        }
        return table
    }

    private static func json(_ row: QualityReport.Row) -> JSONValue {
        .object([
            ("name", .string(row.name)),
            ("action", .string(row.action)),
            ("weights", .integer(row.elementCount)),
            ("bytes", .integer(row.storedByteCount)),
            ("bits_per_weight", .number(row.bitsPerWeight)),
            ("relative_rmse", .number(row.relativeRMSE)),
            ("max_error", .number(row.maximumError)),
        ])
    }

    private static func parts(_ sizes: Sizes) -> [(name: String, byteCount: Int)] {
        [
            ("quantized weights", sizes.quantized), ("other tensors", sizes.kept),
            ("scales and tables", sizes.scales),
        ]
    }
}
