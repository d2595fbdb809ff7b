internal import ArgumentParser
internal import CheckpointIO
internal import Tensors

/// `quantize inspect PATH`: what is in a checkpoint.
struct Inspect: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "List tensors, types, bits per weight and sizes.",
        usage: "quantize inspect [<options>] <path>",
        discussion: """
            Reads headers, states and code tables only, so it takes no time even for large models. \
            A quantized weight is one line: its codes, scales and tables count together.
            """
    )

    @Argument(
        help: "The model: a folder, a .safetensors, .safetensors.zst or .gguf file, or org/name.",
        completion: .file()
    )
    var path: String

    @OptionGroup(title: "Input options")
    var input: InputOptions

    @OptionGroup(title: "Shared options")
    var memory: MemoryOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    func perform(on console: Console) throws -> CommandResult {
        let checkpoint = try SourceModel.open(
            path,
            .any,
            followsLinks: input.followLinks,
            budget: memory.budget,
            on: console
        )
        let inspection = Inspection(checkpoint)
        for warning in Inspect.warnings(checkpoint, inspection) { console.warn(warning) }
        return Inspect.result(checkpoint, inspection)
    }

    /// What is odd, defects included: those `verify` judges.
    private static func warnings(_ checkpoint: Checkpoint, _ inspection: Inspection) -> [String] {
        checkpoint.warnings.map(\.description) + inspection.findings.map(\.description)
    }

    private static func result(
        _ checkpoint: Checkpoint,
        _ inspection: Inspection
    ) -> CommandResult {
        let facts = facts(checkpoint, inspection)
        let tensors = tensorTable(inspection)
        let totals = totalTable(inspection)
        var report = ReportDocument(
            title: Name.printable(checkpoint.name),
            summary: summary(inspection)
        )
        report.append("Overview", [.facts(facts)])
        report.append("Types", [.table(totals, caption: "Tensors of each type, largest first")])
        report.append(
            "Tensors",
            [.table(tensors, caption: "Every tensor, in the order of the file")]
        )
        let text =
            tensors.lines(width: Terminal.outputWidth) + [""]
            + totals.lines(width: Terminal.outputWidth) + [""] + facts.lines
        return CommandResult(
            text: text.joined(separator: "\n") + "\n",
            json: json(checkpoint, inspection),
            report: report
        )
    }

    private static func summary(_ inspection: Inspection) -> String {
        let bits = Double(inspection.storedByteCount) * 8 / Double(max(1, inspection.elementCount))
        return "\(Quantity.count(inspection.elementCount)) weights in "
            + "\(Quantity.bytes(inspection.storedByteCount)): \(Quantity.decimal(bits, 2)) bits each."
    }

    private static func facts(
        _ checkpoint: Checkpoint,
        _ inspection: Inspection
    ) -> [ReportDocument.Fact] {
        var facts: [ReportDocument.Fact] = [
            .init("container", checkpoint.container.rawValue),
            .init("files", "\(checkpoint.weightFiles.count)"),
            .init("weights", Quantity.count(inspection.elementCount)),
            .init("tensors", Quantity.bytes(inspection.storedByteCount)),
        ]
        if let model = checkpoint.model {
            facts.append(.init("architecture", model.architecture.rawValue))
        }
        if let ratio = compressionRatio(checkpoint, inspection) {
            facts.append(.init("zstd ratio", Quantity.decimal(ratio, 3)))
        }
        return facts
    }

    /// Unpacked bytes by packed ones; nil if no file is packed.
    private static func compressionRatio(
        _ checkpoint: Checkpoint,
        _ inspection: Inspection
    ) -> Double? {
        let files = checkpoint.weightFiles
        guard files.contains(where: { $0.fileName.hasSuffix(".zst") }) else { return nil }
        let packed = files.reduce(0) { $0 + $1.byteCount }
        return packed > 0 ? Double(inspection.storedByteCount) / Double(packed) : nil
    }

    private static func tensorTable(_ inspection: Inspection) -> TextTable {
        var table = TextTable(
            columns: [
                .text("tensor"), .text("type"), .text("shape"), .number("weights"),
                .number("bytes"), .number("bits"),
            ]
        )
        table.rows = inspection.items.map { item in
            [
                item.name.description, item.type,
                item.shape.map(String.init).joined(separator: " x "),
                Quantity.count(item.elementCount), Quantity.bytes(item.storedByteCount),
                Quantity.decimal(item.bitsPerWeight, 2),
            ]
        }
        return table
    }

    private static func totalTable(_ inspection: Inspection) -> TextTable {
        var table = TextTable(
            columns: [
                .text("type"), .number("tensors"), .number("weights"), .number("bytes"),
                .number("share"), .number("bits"),
            ]
        )
        let all = inspection.storedByteCount
        table.rows = inspection.totals.map { total in
            let bits =
                total.elementCount > 0
                ? Double(total.storedByteCount) * 8 / Double(total.elementCount) : nil
            return [
                total.type, Quantity.count(total.itemCount), Quantity.count(total.elementCount),
                Quantity.bytes(total.storedByteCount),
                Quantity.percent(all > 0 ? Double(total.storedByteCount) / Double(all) : nil),
                Quantity.decimal(bits, 2),
            ]
        }
        return table
    }

    private static func json(_ checkpoint: Checkpoint, _ inspection: Inspection) -> JSONObject {
        var members: [(Name, JSONValue)] = [
            ("name", .string(checkpoint.name)),
            ("container", .string(checkpoint.container.rawValue)),
            ("files", .array(checkpoint.weightFiles.map { .string($0.fileName) })),
            ("weights", .integer(inspection.elementCount)),
            ("tensor_bytes", .integer(inspection.storedByteCount)),
        ]
        if let ratio = compressionRatio(checkpoint, inspection) {
            members.append(("zstd_ratio", .double(ratio)))
        }
        let totals = inspection.totals.map { total in
            JSONValue.object([
                ("type", .string(total.type)), ("tensors", .integer(total.itemCount)),
                ("weights", .integer(total.elementCount)),
                ("bytes", .integer(total.storedByteCount)),
            ])
        }
        let tensors = inspection.items.map { item in
            JSONValue.object([
                ("name", .string(item.name.text)), ("type", .string(item.type)),
                ("shape", .array(item.shape.map(JSONValue.integer))),
                ("weights", .integer(item.elementCount)),
                ("bytes", .integer(item.storedByteCount)), ("file", .string(item.file)),
            ])
        }
        members += [
            ("types", .array(totals)), ("tensors", .array(tensors)),
            ("warnings", .array(warnings(checkpoint, inspection).map(JSONValue.string))),
        ]
        return JSONObject(members)
    }
}
