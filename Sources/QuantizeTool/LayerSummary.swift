internal import CheckpointIO
internal import LoftQ
internal import QLoRA

/// What `loftq` says of the layers that it split.
struct LayerSummary {
    let method: AdapterMethod
    let targets: [ModuleSelection.Target]
    let layers: [DecomposedLayer]
    /// The folder of the adapter.
    let place: String

    /// So many of the layers that won least are listed.
    private static let worstCount = 5

    /// The layers of one kind together.
    struct Kind {
        let name: String
        let count: Int
        /// `√(Σ ‖E‖² / Σ ‖W‖²)`.
        let plainError: Double
        let error: Double
        var gain: Double { plainError > 0 ? 1 - error / plainError : 0 }

        init(_ name: String, _ layers: [DecomposedLayer]) {
            func sum(_ part: (DecomposedLayer) -> Double) -> Double {
                layers.reduce(0) { $0 + part($1) * part($1) }
            }
            let weights = sum(\.weightNorm)
            self.name = name
            count = layers.count
            plainError = weights > 0 ? (sum(\.plainError) / weights).squareRoot() : 0
            error = weights > 0 ? (sum(\.error) / weights).squareRoot() : 0
        }
    }

    /// All kinds in the order in which they occur, and all together.
    var kinds: [Kind] {
        var names: [String] = []
        for layer in layers where !names.contains(layer.kind) { names.append(layer.kind) }
        return names.map { name in Kind(name, layers.filter { $0.kind == name }) }
            + [Kind("all", layers)]
    }

    /// Adds it to what a run has to tell.
    func add(to result: inout CommandResult) {
        let lines = ["", "\(place): the adapter"] + facts.lines + [""] + table.lines()
        result.text += lines.joined(separator: "\n") + "\n"
        result.json["layers"] = .array(layers.map { .object(Self.json($0)) })
        var blocks: [ReportDocument.Block] = [
            .facts(facts),
            .table(table, caption: "Error of base and adapter, relative to the weights."),
        ]
        if let plot = LayerErrorPlot(errors) { blocks.append(.plot(plot)) }
        blocks += [
            .table(worst, caption: "The layers that won least."),
            .paragraph(
                "Squared error of the weights alone does not tell what a method is worth to a model."
            ),
        ]
        result.report.append("The adapter", blocks)
    }

    /// The relative error of base and adapter, layer by layer.
    private var errors: [(name: String, error: Double)] {
        layers.map { ($0.module, $0.weightNorm > 0 ? $0.error / $0.weightNorm : 0) }
    }

    /// Adds how long it will take.
    func addEstimate(_ seconds: Double, to result: inout CommandResult) {
        let text = "about \(Quantity.duration(seconds)) for \(targets.count) layers"
        result.text += "the adapter takes \(text), by a matrix that was split just now\n"
        result.runMembers.append(("estimated_seconds", .number(seconds)))
    }

    /// What to do with the result.
    func nextCommands(base: String) -> [String] {
        [
            "quantize adapter inspect \(ShellWord(place))",
            "quantize fuse \(ShellWord(base)) \(ShellWord(place)) \(ShellWord(base + "-fused"))",
        ]
    }

    private var facts: [ReportDocument.Fact] {
        let parameters = targets.reduce(0) { $0 + $1.rank * $1.module.shape.reduce(0, +) }
        var facts: [ReportDocument.Fact] = [
            .init("layers", "\(layers.count)"),
            .init("numbers in the adapter", Quantity.count(parameters)),
        ]
        let total = Kind("all", layers)
        if total.plainError > 0 {
            facts += [
                .init("relative error, plain", Quantity.significant(total.plainError, 4)),
                .init("relative error, with adapter", Quantity.significant(total.error, 4)),
                .init("layers worse than plain", "\(layers.filter { $0.gain < 0 }.count)"),
            ]
        } else {
            facts.append(.init("relative error", Quantity.significant(total.error, 3)))
        }
        let alone = layers.filter { $0.verdict != .accept }.count
        if alone > 0 { facts.append(.init("layers that begin as new ones", "\(alone)")) }
        return facts
    }

    private var table: TextTable {
        TextTable(
            columns: [
                .text("kind"), .number("layers"), .number("plain"), .number("with adapter"),
                .number("gain"),
            ],
            rows: kinds.map { kind in
                [
                    Name.printable(kind.name), "\(kind.count)",
                    Quantity.significant(kind.plainError, 4),
                    Quantity.significant(kind.error, 4),
                    Quantity.decimal(100 * kind.gain, 1) + " %",
                ]
            }
        )
    }

    private var worst: TextTable {
        TextTable(
            columns: [
                .text("layer"), .number("rank"), .number("after each iteration"), .number("gain"),
            ],
            rows: layers.sorted { $0.gain < $1.gain }.prefix(Self.worstCount).map { layer in
                [
                    Name.printable(layer.module), "\(layer.rank)",
                    layer.errors.map { Quantity.significant($0 / layer.weightNorm, 4) }
                        .joined(separator: ", "),
                    Quantity.decimal(100 * layer.gain, 1) + " %",
                ]
            }
        )
    }

    private static func json(_ layer: DecomposedLayer) -> JSONObject {
        [
            "module": .string(layer.module),
            "shape": .array([.integer(layer.rowCount), .integer(layer.columnCount)]),
            "rank": .integer(layer.rank),
            "weight_norm": .double(layer.weightNorm),
            "plain_error": .double(layer.plainError),
            "errors": .array(layer.errors.map { .double($0) }),
            "best_iteration": .integer(layer.best + 1),
            "error": .double(layer.error),
            "gain": .double(layer.gain),
            "verdict": .string(layer.verdict.rawValue),
        ]
    }
}
