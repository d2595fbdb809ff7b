internal import ArgumentParser
internal import CheckpointIO
internal import Fusing
internal import QLoRA
internal import Quant

/// `quantize fuse MODEL ADAPTER… DST`: adapters merged into their base.
struct Fuse: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuse",
        abstract: "Merge adapters into a model.",
        usage: "quantize fuse <model> <adapter[=weight]> ... <dst> [options]",
        discussion: """
            Reads adapters as PEFT saves them (adapter_config.json and adapter_model.safetensors), LoRA \
            and DoRA, and writes an ordinary checkpoint that opens anywhere. A quantized model is \
            dequantized on the way: those weights are the ones that the adapter was trained on. \
            --requantize quantizes the result again, which loses part of what was learned.

              quantize fuse MODEL-nf4 ADAPTER MODEL-fused
              quantize fuse MODEL ADAPTER-A=0.7 ADAPTER-B=0.3 MODEL-fused
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The model, one or more adapters, each perhaps with =WEIGHT, and the folder to make.",
            valueName: "model adapters dst"
        ),
        completion: .directory
    )
    var paths: [String]

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What the model has to be: dequantized (a quantized one) or original; default: any.",
            valueName: "base"
        )
    )
    var onto: FuseBase?

    @OptionGroup(title: "What becomes of the weights")
    var floats: FloatOptions

    @Flag(
        name: .long,
        help: "Quantize merged weights again as they were; all others keep their bytes."
    )
    var requantize = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "With --requantize: exit with 2 if the cosine of the wanted and the kept change is below "
                + "1 minus this, such as 0.1.",
            valueName: "loss"
        )
    )
    var failAbove: Double?

    @OptionGroup(title: "Output options")
    var output: OutputOptions

    @OptionGroup(title: "Shared options")
    var work: WorkOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    var showsProgress: Bool { !work.progress.noProgress }

    func validate() throws {
        guard paths.count >= 3 else {
            throw ValidationError(
                "fuse takes a model, at least one adapter, and the folder to make"
            )
        }
        for text in paths[1..<paths.count - 1] { _ = try AdapterArgument(text) }
        if let failAbove {
            guard requantize else {
                throw ValidationError("--fail-above says how much --requantize may lose")
            }
            guard failAbove >= 0 else {
                throw ValidationError("--fail-above takes a number from 0, not \(failAbove)")
            }
        }
        if requantize, floats.dtype != nil {
            throw ValidationError("--requantize keeps types as they are, so --dtype has no place")
        }
    }

    func perform(on console: Console) throws -> CommandResult {
        let resolved = ResolvedOptions(work)
        let (source, destination) = (paths[0], paths[paths.count - 1])
        let checkpoint = try SourceModel.open(
            source,
            .knownOrAny,
            followsLinks: output.followLinks,
            readsTokenizer: true,
            budget: resolved.budget,
            on: console
        )
        let parts = try paths[1..<paths.count - 1].map(AdapterArgument.init).map { argument in
            AdapterFuser.Part(try AdapterFolder(at: argument.path), weight: argument.weight)
        }
        var options = AdapterFuser.Options()
        options.dtype = floats.dtype?.dtype
        options.requantizes = requantize
        options.base = onto.flatMap { AdapterFuser.Base(rawValue: $0.rawValue) }
        options.maximumShardByteCount = output.maxShardSize?.byteCount
        options.zstdLevel = output.zstd
        let fuser = try AdapterFuser(checkpoint, parts, options: options)
        let adapters = parts.map { part in
            part.adapter.name
                + (part.weight == 1 ? "" : " times \(Quantity.significant(part.weight, 3))")
        }
        let run = ModelRun(
            command: "fuse",
            source: source,
            destination: destination,
            output: output,
            resolved: resolved,
            options: [
                .init("adapters", adapters.joined(separator: ", ")),
                .init("merged modules", "\(fuser.mergedModuleCount)"),
                .init("onto", "\(fuser.base.rawValue) weights"),
                .init("dtype", requantize ? "requantized" : floats.dtype?.rawValue ?? "as before"),
            ] + output.facts,
            plan: fuser.plan,
            checkpoint: checkpoint,
            otherSources: parts.map(\.adapter.resolvedPath)
        )
        var result = try run.perform(on: console) { (options) throws(CheckpointError) in
            try fuser.run(to: destination, options: options)
        }
        if requantize, !output.dryRun {
            let options = resolved.runOptions(on: console, output: output)
            let survival = try fuser.survival(in: destination, options: options)
            SurvivalSummary(survival, failAbove: failAbove).add(to: &result)
        }
        return result
    }
}

/// What `--onto` takes.
enum FuseBase: String, ExpressibleByArgument, CaseIterable {
    case dequantized
    case original
}

/// `ADAPTER` or `ADAPTER=WEIGHT`.
struct AdapterArgument {
    let path: String
    let weight: Double

    /// Splits at the last equals sign with a number behind it, unless all of it is a folder.
    init(_ text: String) throws {
        guard let sign = text.lastIndex(of: "="), (try? InputFolder(at: text)) == nil else {
            path = text
            weight = 1
            return
        }
        path = String(text[..<sign])
        let number = String(text[text.index(after: sign)...])
        guard let value = Double(number), value.isFinite else {
            throw ValidationError("the weight in \(text) is no number: '\(number)'")
        }
        weight = value
    }
}
