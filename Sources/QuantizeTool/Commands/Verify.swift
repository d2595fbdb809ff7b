internal import ArgumentParser
internal import CheckpointIO

/// `quantize verify PATH`: whether a checkpoint is sound, and how far it is from its source.
struct Verify: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a model, and measure it against its source.",
        discussion: """
            Reads everything: structure, checksums, shapes, scales, and every value for NaN and \
            infinity. With --against the error of each tensor is measured.
            """
    )

    @Argument(
        help: "The model: a folder, a .safetensors, .safetensors.zst or .gguf file, or org/name.",
        completion: .file()
    )
    var path: String

    @Option(
        name: .long,
        help: ArgumentHelp("The model it was made from.", valueName: "source"),
        completion: .file()
    )
    var against: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "End with status 2 if a tensor's relative RMSE is above this, such as 0.1.",
            valueName: "x"
        )
    )
    var failAbove: Double?

    @Flag(
        name: .long,
        help: "Read shards through symbolic links that leave the model's folder."
    )
    var followLinks = false

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    func validate() throws {
        guard let failAbove else { return }
        if against == nil { throw ValidationError("--fail-above needs --against SOURCE") }
        if !failAbove.isFinite || failAbove < 0 {
            throw ValidationError("--fail-above takes a number from 0 on, not \(failAbove)")
        }
    }

    func perform(on console: Console) throws -> CommandResult {
        CommandResult(text: "", json: JSONObject(), report: ReportDocument(title: "", summary: ""))
    }
}
