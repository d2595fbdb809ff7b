internal import ArgumentParser
internal import CheckpointIO
internal import Quant

/// `quantize dequantize SRC DST`: quantized weights back to floats.
struct Dequantize: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "dequantize",
        abstract: "Turn a quantized model back into floats.",
        discussion: """
            The result is an ordinary checkpoint without quantization_config, for programs that \
            read no bitsandbytes layout. Requantizing it with the same options gives the same codes. \
            A .gguf file becomes a folder of floats, too.
            """
    )

    @Argument(help: "The quantized model, or a .gguf file.", completion: .file())
    var src: String

    @Argument(help: "The folder to make.", completion: .directory)
    var dst: String

    @OptionGroup(title: "What becomes of the weights")
    var floats: FloatOptions

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
            .knownOrAny,
            followsLinks: output.followLinks,
            readsTokenizer: true,
            budget: resolved.budget,
            on: console
        )
        var options = CheckpointDequantizer.Options(dtype: floats.dtype?.dtype)
        options.maximumShardByteCount = output.maxShardSize?.byteCount
        options.zstdLevel = output.zstd
        let dequantizer = try CheckpointDequantizer(checkpoint, options: options)
        let run = ModelRun(
            command: "dequantize",
            source: src,
            destination: dst,
            output: output,
            resolved: resolved,
            options: [.init("dtype", floats.dtype?.rawValue ?? "as before")] + output.facts,
            plan: dequantizer.plan,
            checkpoint: checkpoint
        )
        return try run.perform(on: console) { (options) throws(CheckpointError) in
            try dequantizer.run(to: dst, options: options)
        }
    }
}

/// What becomes of the weights.
struct FloatOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The type to write: f32, bf16 or f16; default: the one before quantization.",
            valueName: "type"
        )
    )
    var dtype: FloatType?
}
