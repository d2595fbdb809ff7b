internal import ArgumentParser
internal import CheckpointIO
internal import QLoRA
internal import Quant

/// `quantize adapter convert SRC DST`: another form of the same adapter.
struct AdapterConvert: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Turn an adapter into a plain one, or into another layout.",
        discussion: """
            An adapter whose initialisation changed its base (PiSSA, OLoRA, CorDA) becomes a plain one of \
            twice the rank for the original base: --initial names the adapter as it began, or --base the \
            original model, from which PiSSA and OLoRA are computed again. --to mlx writes the layout of \
            mlx-lm, and refuses what that cannot hold; --from mlx reads it.

              quantize adapter convert TRAINED PLAIN --base MODEL
              quantize adapter convert ADAPTER ADAPTER-mlx --to mlx
            """
    )

    @Argument(help: "The adapter's folder.", completion: .directory)
    var src: String

    @Argument(help: "The folder to make.", completion: .directory)
    var dst: String

    @OptionGroup(title: "What to make of it")
    var target: AdapterTarget

    @OptionGroup
    var output: ReplacementOptions

    @OptionGroup(title: "Shared options")
    var memory: MemoryOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    func perform(on console: Console) throws -> CommandResult {
        try OutputFolder.check(dst, sources: [src], overwrite: output.force)
        var run = RunOptions()
        run.overwrites = output.force
        run.toolVersion = Version.text
        let sentence: String
        if target.from == .mlx {
            let adapter = try MLXAdapter.read(at: src)
            try adapter.write(to: dst, sources: [src], options: run)
            sentence = "\(dst): \(adapter.layers.count) modules in PEFT's layout."
        } else if target.to == .mlx {
            try MLXAdapter.write(try AdapterFolder(at: src), to: dst, options: run)
            sentence = "\(dst): in the layout of mlx-lm."
        } else {
            sentence = try convert(run, on: console)
        }
        return CommandResult(
            text: sentence + "\n",
            json: ["command": "adapter convert", "result": .string(sentence)],
            runMembers: [("destination", .string(dst))],
            report: ReportDocument(title: "Converted adapter", summary: sentence),
            next: target.to == .mlx ? [] : ["quantize adapter inspect \(ShellWord(dst))"]
        )
    }

    /// To a plain adapter.
    private func convert(_ run: RunOptions, on console: Console) throws -> String {
        let trained = try AdapterFolder(at: src)
        let start: BaseChangeConversion.Start
        if let initial = target.initial {
            start = .adapter(try AdapterFolder(at: initial))
        } else {
            start = .base(
                try SourceModel.open(
                    target.base ?? "",
                    .knownOrAny,
                    followsLinks: false,
                    budget: memory.budget,
                    on: console
                )
            )
        }
        let plain = try BaseChangeConversion.plain(trained, from: start)
        let sources = [src] + [target.initial, target.base].compactMap { $0 }
        try OutputFolder.check(dst, sources: sources, overwrite: output.force)
        try plain.write(to: dst, sources: sources, options: run)
        return "\(dst): a plain adapter of rank \(plain.config.rank) for the original base."
    }
}

/// What becomes of an adapter.
struct AdapterTarget: ParsableArguments {
    /// Layouts of adapters.
    enum Layout: String, ExpressibleByArgument, CaseIterable {
        case peft
        case mlx
    }

    @Option(
        name: .long,
        help: ArgumentHelp("The adapter right after its initialisation.", valueName: "adapter"),
        completion: .directory
    )
    var initial: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The model before the adapter changed it.", valueName: "model"),
        completion: .file()
    )
    var base: String?

    @Option(name: .long, help: ArgumentHelp("The layout that is read.", valueName: "layout"))
    var from = Layout.peft

    @Option(name: .long, help: ArgumentHelp("The layout that is written.", valueName: "layout"))
    var to = Layout.peft

    func validate() throws {
        let starts = [initial, base].compactMap { $0 }.count
        let changesLayout = from != to
        if changesLayout, starts > 0 {
            throw ValidationError("--initial and --base make a plain adapter, not another layout")
        }
        if !changesLayout, from == .mlx || starts != 1 {
            throw ValidationError(
                "convert takes one of --initial ADAPTER, --base MODEL, --to mlx and --from mlx"
            )
        }
    }
}
