internal import CheckpointIO
internal import Models
internal import SIMDKernels

/// What `eval` found out about one or several models.
struct EvaluationSummary {
    let name: String
    let textName: String
    let tokenCount: Int
    let options: EvaluationOptions
    private var rows: [Row] = []

    init(name: String, textName: String, tokenCount: Int, options: EvaluationOptions) {
        self.name = name
        self.textName = textName
        self.tokenCount = tokenCount
        self.options = options
    }

    /// One model.
    private struct Row {
        let name: String
        let perplexity: Evaluation.Estimate
        var ratio: Evaluation.Estimate?
        var comparison: Evaluation.Comparison?
    }

    /// Adds the model that others are compared with.
    mutating func add(reference evaluation: Evaluation, named name: String) {
        guard let comparison = evaluation.comparison else { return }
        rows.append(Row(name: name, perplexity: comparison.referencePerplexity))
    }

    /// Adds a model.
    mutating func add(_ evaluation: Evaluation, named name: String) {
        rows.append(
            Row(
                name: name,
                perplexity: evaluation.perplexity,
                ratio: evaluation.comparison?.perplexityRatio(evaluation.losses),
                comparison: evaluation.comparison
            )
        )
    }

    private static let percentiles = [0.5, 0.9, 0.99]

    /// Everything there is to tell.
    var result: CommandResult {
        let table = table
        var report = ReportDocument(
            title: "Evaluation of \(Name.printable(name))",
            summary: sentence
        )
        report.append("How", [.facts(facts)])
        report.append("Results", [.table(table, caption: "Divergences in nats per token.")])
        let comparisons = rows.compactMap { row in row.comparison.map { (row.name, $0) } }
        if let plot = DivergencePlot(comparisons) { report.append("Divergence", [.plot(plot)]) }
        let lines = table.lines(width: Terminal.outputWidth) + [""] + facts.lines
        return CommandResult(
            text: lines.joined(separator: "\n") + "\n",
            json: JSONObject([
                ("tokens", .integer(tokenCount)),
                ("window", .integer(options.windowTokenCount)),
                ("stride", .integer(options.strideTokenCount)),
                ("mode", .string(options.mode.rawValue)),
                ("models", .array(rows.map(json))),
            ]),
            report: report
        )
    }

    private var sentence: String {
        guard let last = rows.last else { return "nothing was evaluated" }
        return "perplexity \(text(last.perplexity)) over \(Quantity.count(tokenCount)) tokens"
    }

    private var facts: [ReportDocument.Fact] {
        [
            .init("text", Name.printable(textName)),
            .init("tokens", Quantity.count(tokenCount)),
            .init("window", "\(options.windowTokenCount) every \(options.strideTokenCount)"),
            .init("mode", options.mode.rawValue),
        ]
    }

    private func text(_ estimate: Evaluation.Estimate) -> String {
        "\(Quantity.significant(estimate.value, 5)) ± \(Quantity.significant(estimate.error, 2))"
    }

    private var table: TextTable {
        var columns: [TextTable.Column] = [.text("model"), .number("perplexity")]
        let compares = rows.contains { $0.comparison != nil }
        if compares {
            columns += [.number("change"), .number("mean KL")]
            columns += Self.percentiles.map { .number("\(Int(100 * $0)) %") }
            columns.append(.number("same top"))
        }
        var table = TextTable(columns: columns)
        table.rows = rows.map { row in
            var cells = [row.name, text(row.perplexity)]
            guard compares else { return cells }
            guard let comparison = row.comparison, let ratio = row.ratio else {
                return cells + [String](repeating: "", count: columns.count - 2)
            }
            let change = 100 * (ratio.value - 1)
            cells.append("\(change < 0 ? "" : "+")\(Quantity.decimal(change, 2)) %")
            cells.append(text(comparison.meanDivergence))
            cells += Self.percentiles.map {
                Quantity.significant(comparison.divergence(percentile: $0), 3)
            }
            cells.append("\(Quantity.decimal(100 * comparison.sameTopRate, 2)) %")
            return cells
        }
        return table
    }

    private func json(_ row: Row) -> JSONValue {
        var members: [(Name, JSONValue)] = [
            ("model", .string(row.name)),
            ("perplexity", .number(row.perplexity.value)),
            ("perplexity_error", .number(row.perplexity.error)),
        ]
        if let comparison = row.comparison, let ratio = row.ratio {
            members += [
                ("perplexity_ratio", .number(ratio.value)),
                ("perplexity_ratio_error", .number(ratio.error)),
                ("mean_kl", .number(comparison.meanDivergence.value)),
                ("mean_kl_error", .number(comparison.meanDivergence.error)),
                ("same_top", .number(comparison.sameTopRate)),
            ]
            members += Self.percentiles.map {
                (Name("kl_\(Int(100 * $0))"), .number(comparison.divergence(percentile: $0)))
            }
        }
        return .object(members)
    }
}
