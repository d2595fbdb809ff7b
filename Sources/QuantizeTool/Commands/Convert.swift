internal import ArgumentParser
internal import CheckpointIO

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

    @Flag(
        name: .customLong("no-tokenizer"),
        help: "Take the weights of a .gguf file alone, whatever its tokenizer is."
    )
    var omitsTokenizer = false

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    /// How the model is opened.
    var checkpointOptions: Checkpoint.Options {
        var options = Checkpoint.Options(
            followsLinks: output.followLinks,
            allowsAnyArchitecture: quantization.anyArchitecture
        )
        options.readsTokenizer = !omitsTokenizer
        return options
    }

    func perform(on console: Console) throws -> CommandResult {
        CommandResult(text: "", json: JSONObject(), report: ReportDocument(title: "", summary: ""))
    }
}
