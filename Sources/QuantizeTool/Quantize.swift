internal import ArgumentParser

/// The command line tool: `quantize SUBCOMMAND …`.
@main
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Quantize language models on the processor you have.",
        discussion: """
            Reads Hugging Face checkpoints (safetensors, sharded or not, zstd-compressed or not) \
            and GGUF files; writes checkpoints that bitsandbytes and transformers open.

            A first conversion:  quantize convert MODEL MODEL-nf4
            How good it is:      quantize verify MODEL-nf4 --against MODEL
            """,
        version: Version.text,
        subcommands: [
            Convert.self, Dequantize.self, LoftQCommand.self, Fuse.self, Adapter.self, Inspect.self,
            Verify.self, Generate.self, Chat.self, Evaluate.self,
            Bench.self,
            Doctor.self,
        ]
    )

    /// Parses the command line, runs it, and ends the process with the status that belongs to it.
    static func main() {
        ToolRun.runAndExit(arguments: Array(CommandLine.arguments.dropFirst()))
    }
}
