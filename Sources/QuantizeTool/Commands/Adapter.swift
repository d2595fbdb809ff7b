internal import ArgumentParser
internal import CheckpointIO
internal import QLoRA

/// `quantize adapter …`: work on adapters alone.
struct Adapter: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapter",
        abstract: "Look into adapters, combine and convert them.",
        subcommands: [AdapterInspect.self, AdapterCombine.self, AdapterConvert.self]
    )
}

/// `quantize adapter inspect PATH`: what is in an adapter.
struct AdapterInspect: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show an adapter: settings, modules, ranks, norms, and what it needs of a base.",
        discussion: """
            With --base all of it is checked against a model: whether every tensor has its place there. \
            Exits with 65 if not.
            """
    )

    @Argument(help: "The adapter's folder, as PEFT saves it.", completion: .directory)
    var path: String

    @Option(
        name: .long,
        help: ArgumentHelp("A model to check the adapter against.", valueName: "model"),
        completion: .file()
    )
    var base: String?

    @OptionGroup(title: "Shared options")
    var memory: MemoryOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    func perform(on console: Console) throws -> CommandResult {
        let folder = try AdapterFolder(at: path)
        let checkpoint = try base.map { base in
            try SourceModel.open(
                base,
                .knownOrAny,
                followsLinks: false,
                readsTokenizer: false,
                budget: memory.budget,
                on: console
            )
        }
        let summary = try AdapterSummary(
            folder,
            at: path,
            base: base,
            checkpoint: checkpoint
        )
        for warning in summary.warnings { console.warn(warning) }
        return summary.result
    }
}
