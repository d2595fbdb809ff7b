internal import ArgumentParser

@main
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Quantize language models on the processor you have."
    )
}
