internal import ArgumentParser

/// What becomes of the weights, as the command line says it.
struct QuantizationOptions: ParsableArguments {
    /// The formats that can be written.
    enum Format: String, CaseIterable, ExpressibleByArgument, Sendable {
        case nf4
        case fp4
        case int8
        case int8Blockwise = "int8-blockwise"
    }

    /// How the scale of a block is found.
    enum ScaleRule: String, CaseIterable, ExpressibleByArgument, Sendable {
        case absmax
        case search
    }

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The format of quantized weights.",
            discussion: """
                nf4 and fp4 have 4 bits, int8 one scale a row (LLM.int8); transformers opens all \
                three. int8-blockwise is this package's own.
                """,
            valueName: "format"
        )
    )
    var type = Format.nf4

    @Flag(name: .long, help: "Quantize the scales too, which saves 0.37 bits a weight at 64.")
    var doubleQuant = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Weights that share a scale: 32, 64, 128 … 4096; default: 64, as transformers has it.",
            valueName: "n"
        )
    )
    var blockSize: Int?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How each block's scale is found: absmax, or search for the least squared error.",
            discussion: """
                absmax is bit-equal to bitsandbytes, and better: search lowers the squared error of \
                the weights by 10 to 20 %, but SmolLM2-135M has perplexity 69.5 after it, 67.6 with \
                absmax and 52.9 unquantized (docs/accuracy.md).
                """,
            valueName: "rule"
        )
    )
    var scale = ScaleRule.absmax

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Leave modules as they are whose name matches; may be repeated.",
            valueName: "regex"
        )
    )
    var skip: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Quantize only modules whose name matches; may be repeated.",
            valueName: "regex"
        )
    )
    var only: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Another format for modules whose name matches, such as 'lm_head=nf4'.",
            discussion: "May be repeated; the first that matches counts. 'none' is a format, too.",
            valueName: "regex=format"
        ),
        transform: TensorTypeRule.init(argument:)
    )
    var tensorType: [TensorTypeRule] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The type of weights that stay floats: f32, bf16 or f16; default: as they are.",
            valueName: "type"
        )
    )
    var dtype: FloatType?

    @Flag(
        name: .long,
        help: "Store weights with NaN or infinity unquantized instead of refusing them."
    )
    var keepNonfinite = false

    @Flag(
        name: .long,
        help: "Take any safetensors model: quantize every matrix, check nothing by config.json."
    )
    var anyArchitecture = false

    @Flag(
        name: .customLong("no-tokenizer"),
        help: "Take the weights of a .gguf file alone, whatever its tokenizer is."
    )
    var omitsTokenizer = false

    @Flag(
        name: .long,
        help: "Do not measure the error, which takes a second look at every weight."
    )
    var noMeasure = false

    func validate() throws {
        if let blockSize {
            guard (32...4096).contains(blockSize), blockSize.nonzeroBitCount == 1 else {
                throw ValidationError(
                    "--block-size takes 32, 64, 128, 256, 512, 1024, 2048 or 4096, not \(blockSize)"
                )
            }
        }
        let is4Bit = type == .nf4 || type == .fp4
        if doubleQuant && !is4Bit {
            throw ValidationError("--double-quant goes with nf4 and fp4, not with \(type.rawValue)")
        }
        if type == .int8 && blockSize != nil {
            throw ValidationError("--block-size does not go with int8, whose scales are the rows'")
        }
        if scale == .search && !is4Bit {
            throw ValidationError("--scale search goes with nf4 and fp4, not with \(type.rawValue)")
        }
        for (option, patterns) in [("--skip", skip), ("--only", only)] {
            for pattern in patterns where (try? Regex(pattern)) == nil {
                throw ValidationError("\(option): '\(pattern)' is not a regular expression")
            }
        }
    }
}

/// A floating-point type, named as the formats or as Python name it.
enum FloatType: String, CaseIterable, ExpressibleByArgument, Sendable {
    case f32
    case bf16
    case f16

    init?(argument: String) {
        switch argument {
        case "f32", "float32", "F32": self = .f32
        case "bf16", "bfloat16", "BF16": self = .bf16
        case "f16", "float16", "F16": self = .f16
        default: return nil
        }
    }
}
