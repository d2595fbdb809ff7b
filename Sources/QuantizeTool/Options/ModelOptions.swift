internal import ArgumentParser
internal import CheckpointIO
internal import Machine
internal import Models
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

    /// Opens a model and its tokenizer.
    func open(_ path: String, on console: Console) throws(CheckpointError) -> TextModel {
        let budget = memory.budget
        console.status("loading \(path)")
        let model = try TextModel(
            SourceModel.open(
                path,
                .known,
                followsLinks: followLinks,
                readsTokenizer: true,
                budget: budget,
                on: console
            ),
            options: loading(type, budget),
            on: workers
        )
        console.endProgress()
        for warning in model.model.warnings { console.detail(warning.description) }
        return model
    }

    /// How weights are held if they are quantized to a format.
    func loading(_ type: LoadedFormat?, _ budget: MemoryBudget) -> LanguageModel.LoadingOptions {
        var options = LanguageModel.LoadingOptions(
            quantization: type?.config,
            headQuantization: headType?.config
        )
        options.budget = budget
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
