internal import CheckpointIO
internal import QLoRA
internal import Tensors

/// What `adapter inspect` shows.
struct AdapterSummary {
    /// What is odd.
    let warnings: [String]
    private let folder: AdapterFolder
    private let overview: AdapterOverview
    private let checkpoint: Checkpoint?
    private let path: String
    private let base: String?

    /// Reads an adapter, and checks it against a base if there is one.
    /// - Throws: what is wrong with either.
    init(
        _ folder: AdapterFolder,
        at path: String,
        base: String?,
        checkpoint: Checkpoint?
    ) throws(CheckpointError) {
        self.folder = folder
        self.path = path
        self.base = base
        self.checkpoint = checkpoint
        overview = try AdapterOverview(folder)
        var warnings = folder.warnings
        if let checkpoint {
            warnings = try folder.bound(to: try ModuleTree(checkpoint)).warnings
        }
        self.warnings = warnings.map(\.description)
    }

    /// For people and for programs.
    var result: CommandResult {
        let width = Terminal.outputWidth
        var lines = facts.lines
        lines += [""] + table.lines(width: width)
        if !overview.otherTensors.isEmpty {
            lines += ["", "beside the factors:"] + otherTable.lines(width: width)
        }
        var report = ReportDocument(title: "Adapter \(folder.name)", summary: sentence)
        report.append("Settings", [.facts(facts)])
        report.append("Modules", [.table(moduleTable, caption: "Every adapted module.")])
        if !overview.otherTensors.isEmpty {
            report.append("Beside the factors", [.table(otherTable, caption: "Stored whole.")])
        }
        return CommandResult(
            text: (lines + ["", sentence]).joined(separator: "\n") + "\n",
            json: json,
            report: report,
            next: base.map { ["quantize fuse \(ShellWord($0)) \(ShellWord(path)) FUSED"] } ?? []
        )
    }

    private var sentence: String {
        let modules = overview.modules.count == 1 ? "1 module" : "\(overview.modules.count) modules"
        let fits = checkpoint.map { ", and all of it fits \($0.name)" } ?? ""
        return "\(Quantity.count(overview.parameterCount)) numbers for \(modules)\(fits)."
    }

    private var kind: String {
        folder.config.usesDoRA ? "DoRA" : "LoRA"
    }

    private var facts: [ReportDocument.Fact] {
        let config = folder.config
        var facts: [ReportDocument.Fact] = [
            .init("kind", kind + (config.usesRSLoRA ? ", rank-stabilised" : "")),
            .init("rank", distinct(overview.modules.map { "\($0.rank)" })),
            .init("alpha", distinct(overview.modules.map { Quantity.significant($0.alpha, 4) })),
            .init(
                "scaling",
                distinct(overview.modules.map { Quantity.significant($0.scaling, 4) })
            ),
            .init("targets", targets),
            .init("dropout", Quantity.significant(config.dropout, 3)),
            .init("initialisation", config.initialization.name ?? "default"),
            .init("base, by name", config.baseModel ?? "not named"),
            .init("size", Quantity.bytes(folder.byteCount)),
        ]
        if config.initialization.changesBase {
            facts.append(.init("needs", "a base that its initialisation has changed"))
        }
        return facts
    }

    private var targets: String {
        switch folder.config.targetModules {
        case nil: "the default of the model's type"
        case .allLinear?: "all linear layers"
        case .pattern(let pattern)?: Name.printable(pattern)
        case .list(let names)?: Self.shortened(names.sorted().map { Name.printable($0) })
        }
    }

    private static func shortened(_ names: [String]) -> String {
        let shown = names.prefix(8).joined(separator: ", ")
        return names.count > 8 ? "\(shown) and \(names.count - 8) more" : shown
    }

    private func distinct(_ values: [String]) -> String {
        var seen: [String] = []
        for value in values where !seen.contains(value) { seen.append(value) }
        return seen.joined(separator: ", ")
    }

    // MARK: Tables

    private static let columns: [TextTable.Column] = [
        .text("module"), .number("count"), .text("shape"), .number("rank"), .number("scaling"),
        .number("|A|"), .number("|B|"), .number("|delta|"),
    ]

    /// Modules of one kind in one line: the last part of their names, and means of norms.
    private var table: TextTable {
        var groups: [(key: String, modules: [AdapterOverview.Module])] = []
        for module in overview.modules {
            let ending = module.name.split(separator: ".").last.map(String.init) ?? module.name
            let key = "\(ending) \(module.shape) \(module.rank) \(module.scaling)"
            if let index = groups.firstIndex(where: { $0.key == key }) {
                groups[index].modules.append(module)
            } else {
                groups.append((key, [module]))
            }
        }
        return TextTable(
            columns: Self.columns,
            rows: groups.compactMap { group in
                guard let first = group.modules.first else { return nil }
                let count = Double(group.modules.count)
                func mean(_ value: (AdapterOverview.Module) -> Double) -> String {
                    Quantity.significant(group.modules.reduce(0) { $0 + value($1) } / count, 3)
                }
                let ending = first.name.split(separator: ".").last.map(String.init) ?? first.name
                return [
                    Name.printable(ending), "\(group.modules.count)", "\(first.shape)",
                    "\(first.rank)", Quantity.significant(first.scaling, 4), mean { $0.aNorm },
                    mean { $0.bNorm }, mean { $0.deltaNorm },
                ]
            }
        )
    }

    private var moduleTable: TextTable {
        TextTable(
            columns: Self.columns.filter { $0.title != "count" },
            rows: overview.modules.map { module in
                [
                    Name.printable(module.name), "\(module.shape)", "\(module.rank)",
                    Quantity.significant(module.scaling, 4), Quantity.significant(module.aNorm, 3),
                    Quantity.significant(module.bNorm, 3),
                    Quantity.significant(module.deltaNorm, 3),
                ]
            }
        )
    }

    private var otherTable: TextTable {
        TextTable(
            columns: [.text("tensor"), .text("type"), .text("shape")],
            rows: overview.otherTensors.map {
                [$0.name.description, $0.dtype.rawValue, "\($0.shape)"]
            }
        )
    }

    private var json: JSONObject {
        let config = folder.config
        return [
            "command": "adapter inspect",
            "adapter": .string(folder.name),
            "kind": .string(kind),
            "parameters": .integer(overview.parameterCount),
            "bytes": .integer(folder.byteCount),
            "base_model_name_or_path": config.baseModel.map { .string($0) } ?? .null,
            "fits": checkpoint.map { .string($0.name) } ?? .null,
            "config": .object(config.json),
            "modules": .array(
                overview.modules.map { module in
                    .object([
                        "name": .string(module.name),
                        "shape": .array(module.shape.map { .integer($0) }),
                        "rank": .integer(module.rank),
                        "alpha": .double(module.alpha),
                        "scaling": .double(module.scaling),
                        "a_norm": .double(module.aNorm),
                        "b_norm": .double(module.bNorm),
                        "delta_norm": .double(module.deltaNorm),
                        "lora_bias": .bool(module.hasBias),
                        "magnitude": .bool(module.hasMagnitude),
                    ])
                }
            ),
            "other_tensors": .array(
                overview.otherTensors.map { .string($0.name.text) }
            ),
            "warnings": .array(warnings.map { .string($0) }),
        ]
    }
}
