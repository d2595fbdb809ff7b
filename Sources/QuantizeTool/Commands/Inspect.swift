internal import ArgumentParser
internal import CheckpointIO

/// `quantize inspect PATH`: what is in a checkpoint.
struct Inspect: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "List tensors, types, bits per weight and sizes.",
        discussion: """
            Reads headers only, so it takes no time even for large models. A quantized weight is \
            one line: its codes, scales and tables count together.
            """
    )

    @Argument(
        help: "The model: a folder, a .safetensors, .safetensors.zst or .gguf file, or org/name.",
        completion: .file()
    )
    var path: String

    @Flag(
        name: .long,
        help: "Read shards through symbolic links that leave the model's folder."
    )
    var followLinks = false

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    func perform(on console: Console) throws -> CommandResult {
        CommandResult(text: "", json: JSONObject(), report: ReportDocument(title: "", summary: ""))
    }
}
