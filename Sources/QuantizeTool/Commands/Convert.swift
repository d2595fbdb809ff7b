internal import ArgumentParser
internal import CheckpointIO
internal import Quant

/// `quantize convert SRC DST`: float weights to quantized ones.
struct Convert: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Quantize a model.",
        discussion: """
            Writes a folder that transformers loads as it is, with everything that belongs to the \
            model carried along. Which modules are quantized follows bitsandbytes: all linear \
            layers but the output head; see --skip, --only and --tensor-type.
            """
    )

    @Argument(
        help: "The model: a folder, a .safetensors, .safetensors.zst or .gguf file, or org/name.",
        completion: .file()
    )
    var src: String

    @Argument(help: "The folder to make.", completion: .directory)
    var dst: String

    @OptionGroup(title: "What becomes of the weights")
    var quantization: QuantizationOptions

    @OptionGroup(title: "Output options")
    var output: OutputOptions

    @OptionGroup(title: "Shared options")
    var work: WorkOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    var showsProgress: Bool { !work.progress.noProgress }

    func perform(on console: Console) throws -> CommandResult {
        let resolved = ResolvedOptions(work)
        let checkpoint = try SourceModel.open(
            src,
            quantization.anyArchitecture ? .any : .known,
            followsLinks: output.followLinks,
            readsTokenizer: !quantization.omitsTokenizer,
            budget: resolved.budget,
            on: console
        )
        let options = quantization.resolved(output: output, measuresErrors: !quantization.noMeasure)
        let converter = try CheckpointConverter(
            checkpoint,
            options: options,
            running: resolved.runOptions(on: console)
        )
        let run = ModelRun(
            command: "convert",
            source: src,
            destination: dst,
            output: output,
            resolved: resolved,
            options: quantization.facts(output: output),
            plan: converter.plan,
            checkpoint: checkpoint
        )
        return try run.perform(on: console) { (options) throws(CheckpointError) in
            try converter.run(to: dst, options: options)
        }
    }
}
