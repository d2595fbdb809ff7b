internal import CheckpointIO
internal import Fusing
internal import QLoRA

/// What `fuse --requantize` says of what is left of the adapters.
struct SurvivalSummary {
    private let survival: DeltaSurvival
    private let failAbove: Double?

    /// So many of the weights that lost most are listed.
    private static let worstCount = 5

    init(_ survival: DeltaSurvival, failAbove: Double?) {
        self.survival = survival
        self.failAbove = failAbove
    }

    /// Adds it to what a run has to tell.
    func add(to result: inout CommandResult) {
        let lines = ["", "what is left of the change:"] + facts.lines + [""] + table.lines()
        result.text += lines.joined(separator: "\n") + "\n"
        result.json["survival"] = .object(json)
        result.report.append(
            "What is left of the change",
            [.facts(facts), .table(table, caption: "The weights that lost most.")]
        )
        guard let failAbove, 1 - survival.total.cosine > failAbove else { return }
        result.setProblem(
            ErrorReport(
                limit: "quantizing again lost more of the change than \(failAbove): the cosine is "
                    + Quantity.decimal(survival.total.cosine, 3)
            )
        )
    }

    private var facts: [ReportDocument.Fact] {
        let total = survival.total
        return [
            .init("codes changed", percent(total.changedShare)),
            .init("cosine of the wanted and the kept change", Quantity.decimal(total.cosine, 3)),
            .init("error of merged weights", Quantity.significant(total.relativeError, 3)),
        ]
    }

    private var table: TextTable {
        TextTable(
            columns: [
                .text("worst"), .number("codes changed"), .number("cosine"), .number("error"),
            ],
            rows: survival.worst(Self.worstCount).map { layer in
                [
                    Name.printable(layer.module), percent(layer.sums.changedShare),
                    Quantity.decimal(layer.sums.cosine, 3),
                    Quantity.significant(layer.sums.relativeError, 3),
                ]
            }
        )
    }

    private func percent(_ share: Double) -> String { Quantity.decimal(100 * share, 1) + " %" }

    private var json: JSONObject {
        func members(_ sums: DeltaSurvival.Sums) -> [(Name, JSONValue)] {
            [
                ("codes", .integer(sums.codeCount)),
                ("changed_codes", .integer(sums.changedCodeCount)),
                ("cosine", .double(sums.cosine)),
                ("relative_error", .double(sums.relativeError)),
            ]
        }
        var object = JSONObject(members(survival.total))
        object["weights"] = .array(
            survival.layers.map { layer in
                .object(JSONObject([("module", .string(layer.module))] + members(layer.sums)))
            }
        )
        return object
    }
}
