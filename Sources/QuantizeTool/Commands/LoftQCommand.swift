internal import ArgumentParser
internal import CheckpointIO
internal import LoftQ
internal import QLoRA
internal import Quant

/// `quantize loftq SRC DST`: a quantized base, and the adapter that makes up for what it lost.
struct LoftQCommand: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "loftq",
        abstract: "Quantize a model and begin an adapter that makes up for the loss.",
        discussion: """
            Writes DST, a quantized model as convert makes one, and DST/loftq_init, an adapter as PEFT \
            saves one: the leading part of what quantization lost, in turns with the quantization \
            (LoftQ), or the leading part of the weights (PiSSA, OLoRA). Train the adapter on this base.

              quantize loftq MODEL MODEL-loftq --rank 64 --iterations 5
              quantize loftq MODEL ADAPTER --replace MODEL-nf4

            With --replace the base stays as it is, to the byte, and DST is the adapter alone. A layer's \
            squared error says little about the model: docs/adapters.md has perplexities.
            """
    )

    @Argument(
        help: "The model, not quantized: a folder, a .safetensors or .gguf file, or org/name.",
        completion: .file()
    )
    var src: String

    @Argument(help: "The folder to make.", completion: .directory)
    var dst: String

    @OptionGroup(title: "How the adapter begins")
    var adapter: NewAdapterOptions

    @OptionGroup(title: "What becomes of the weights")
    var quantization: QuantizationOptions

    @OptionGroup(title: "Output options")
    var output: OutputOptions

    @OptionGroup(title: "Shared options")
    var work: WorkOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    var showsProgress: Bool { !work.progress.noProgress }

    func validate() throws {
        if adapter.replace != nil, adapter.method != .loftq {
            throw ValidationError("--replace goes with --method loftq: the base stays as it is")
        }
        if adapter.replace != nil, adapter.iterations != nil {
            throw ValidationError("--replace is one step, as the base stays as it is")
        }
        if !adapter.method.quantizes, adapter.iterations != nil {
            throw ValidationError("--iterations goes with loftq and qpissa, which quantize")
        }
        if adapter.replace != nil, output.zstd != nil || output.maxShardSize != nil {
            throw ValidationError("--replace writes an adapter, which is one file and not packed")
        }
    }

    func perform(on console: Console) throws -> CommandResult {
        let resolved = ResolvedOptions(work)
        let checkpoint = try open(src, resolved, console)
        let base = try adapter.replace.map { try open($0, resolved, console) }
        var options = AdapterCreation.Options(
            quantization.resolved(output: output, measuresErrors: false),
            adapter: adapter.config
        )
        options.iterationCount = adapter.iterations ?? 1
        options.seed = adapter.seed
        options.verdictName = "gain from \(adapter.minGain)"
        let minimum = adapter.minGain
        options.decide = { layer in
            // Where the base keeps floats there is nothing to win back.
            layer.plainError == 0 || layer.gain > minimum ? .accept : .reject
        }
        let creation =
            if let base {
                try AdapterCreation(correcting: base, of: checkpoint, options: options)
            } else {
                try AdapterCreation(checkpoint, method: adapter.method, options: options)
            }
        var facts = adapter.facts
        if adapter.replace == nil, adapter.method.quantizes {
            facts += quantization.facts(output: output)
        } else {
            facts += output.facts
        }
        let run = ModelRun(
            command: "loftq",
            source: src,
            destination: dst,
            output: output,
            resolved: resolved,
            options: facts,
            plan: creation.plan,
            checkpoint: checkpoint,
            otherSources: base.map { [$0.resolvedPath] } ?? []
        )
        var layers: [DecomposedLayer] = []
        var result = try run.perform(on: console) { (options) throws(CheckpointError) in
            let made = try creation.run(to: dst, options: options)
            layers = made.layers
            return made.report
        }
        let summary = LayerSummary(
            method: adapter.method,
            targets: creation.targets,
            layers: layers,
            place: adapter.replace == nil ? dst + "/" + adapter.method.folderName : dst
        )
        if output.dryRun {
            let seconds = try creation.estimatedSeconds(threadCount: resolved.threadCount)
            summary.addEstimate(seconds, to: &result)
        } else {
            summary.add(to: &result)
            result.next = summary.nextCommands(base: adapter.replace ?? dst)
        }
        return result
    }

    private func open(
        _ path: String,
        _ resolved: ResolvedOptions,
        _ console: Console
    ) throws(CheckpointError) -> Checkpoint {
        try SourceModel.open(
            path,
            quantization.anyArchitecture ? .any : .known,
            followsLinks: output.followLinks,
            readsTokenizer: !quantization.omitsTokenizer,
            budget: resolved.budget,
            on: console
        )
    }
}
