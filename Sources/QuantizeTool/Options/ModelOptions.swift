internal import ArgumentParser
internal import CheckpointIO
internal import Machine
internal import Models
internal import QLoRA
internal import Quant
internal import SIMDKernels

/// How a model is held and run, for the subcommands that run one.
struct ModelOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Quantize weights that are not while loading: nf4, nf4-dq, nf4-search, fp4, fp4-dq, int8.",
            discussion: "dq: scales quantized, too. Nothing is written.",
            valueName: "format"
        )
    )
    var type: LoadedFormat?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Quantize the output head as well; of a tied one a copy, so that look-ups stay exact.",
            valueName: "format"
        )
    )
    var headType: LoadedFormat?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Put an adapter on the model, as PEFT saves one; may be repeated.",
            discussion: "=WEIGHT behind the folder is a factor of what it changes.",
            valueName: "folder"
        ),
        completion: .directory
    )
    var adapter: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How numbers are rounded before they are multiplied: float32, bfloat16 or int8.",
            discussion: """
                float32 rounds nothing, bfloat16 is what QLoRA computes in, int8 is the fastest and the \
                least exact.
                """,
            valueName: "mode"
        )
    )
    var mode = Rounding.bfloat16

    @Flag(
        name: .long,
        help: "Read shards through symbolic links that leave the model's folder."
    )
    var followLinks = false

    @OptionGroup var threads: ThreadOptions
    @OptionGroup var memory: MemoryOptions

    /// Opens a model and its tokenizer, with adapters.
    func open(_ path: String, on console: Console) throws -> TextModel {
        console.status("loading \(path)")
        defer { console.endProgress() }
        let checkpoint = try checkpoint(path, readsTokenizer: true, on: console)
        var model = try TextModel(checkpoint, options: loading(type), on: workers)
        for warning in model.model.warnings { console.detail(warning.description) }
        model.model = try adapted(model.model)
        return model
    }

    /// Opens a model without a tokenizer and without adapters.
    /// - Parameters:
    ///   - path: of the model.
    ///   - type: what its weights are quantized to; nil leaves them as they are stored.
    ///   - console: where it is told.
    /// - Returns: the model.
    /// - Throws: what opening and reading throws.
    func openBare(
        _ path: String,
        _ type: LoadedFormat?,
        on console: Console
    ) throws(CheckpointError) -> LanguageModel {
        console.status("loading \(path)")
        defer { console.endProgress() }
        let checkpoint = try checkpoint(path, readsTokenizer: false, on: console)
        return try LanguageModel(checkpoint, options: loading(type), on: workers)
    }

    private func checkpoint(
        _ path: String,
        readsTokenizer: Bool,
        on console: Console
    ) throws(CheckpointError) -> Checkpoint {
        try SourceModel.open(
            path,
            .known,
            followsLinks: followLinks,
            readsTokenizer: readsTokenizer,
            budget: memory.budget,
            on: console
        )
    }

    /// A model with the adapters around its layers.
    func adapted(_ base: LanguageModel) throws -> LanguageModel {
        guard !adapter.isEmpty else { return base }
        var model = AdaptedModel(base)
        for (index, text) in adapter.enumerated() {
            let argument = try AdapterArgument(text)
            try model.load(
                AdapterFolder(at: argument.path),
                as: "\(index + 1)",
                weight: argument.weight
            )
        }
        try model.activate(model.adapterNames)
        return try model.model()
    }

    private func loading(_ type: LoadedFormat?) -> LanguageModel.LoadingOptions {
        var options = LanguageModel.LoadingOptions(
            quantization: type?.config,
            headQuantization: headType?.config
        )
        options.budget = memory.budget
        return options
    }

    /// The threads to work with.
    var workers: WorkerPool { .shared(threadCount: threads.count) }
}

/// A format in which weights are held.
enum LoadedFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
    case nf4
    case nf4DoubleQuantized = "nf4-dq"
    case nf4Search = "nf4-search"
    case fp4
    case fp4DoubleQuantized = "fp4-dq"
    case int8

    /// The format with all its details.
    var config: QuantizationConfig {
        switch self {
        case .nf4: .nf4
        case .nf4DoubleQuantized: QuantizationConfig(.nf4, absmax: .doubleQuantized)
        case .nf4Search: QuantizationConfig(.nf4, scale: .search)
        case .fp4: QuantizationConfig(.fp4)
        case .fp4DoubleQuantized: QuantizationConfig(.fp4, absmax: .doubleQuantized)
        case .int8: QuantizationConfig(.int8Vectorwise)
        }
    }
}

/// How operands of products are rounded, as the command line says it.
enum Rounding: String, CaseIterable, ExpressibleByArgument, Sendable {
    case float32
    case bfloat16
    case int8

    /// The mode of products.
    var mode: ComputeMode {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .int8: .int8
        }
    }
}
