internal import ArgumentParser
internal import CheckpointIO
internal import Models
internal import SIMDKernels

/// How text is made, for the subcommands that make some.
struct GenerationArguments: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("Tokens to make at most.", valueName: "n")
    )
    var maxTokens = 256

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How daring the choice of words is; 0 takes the most probable always.",
            valueName: "t"
        )
    )
    var temperature: Float?

    @Option(
        name: .long,
        help: ArgumentHelp("Choose among so many of the most probable tokens.", valueName: "k")
    )
    var topK: Int?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Choose among the most probable tokens that have this probability together.",
            valueName: "p"
        )
    )
    var topP: Float = 1

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Choose among tokens with this part of the probability of the first.",
            valueName: "p"
        )
    )
    var minP: Float = 0

    @Option(
        name: .long,
        help: ArgumentHelp("Lower the logits of tokens that occurred, such as 1.1.", valueName: "x")
    )
    var repetitionPenalty: Float = 1

    @Option(
        name: .long,
        help: ArgumentHelp("What random choices depend on.", valueName: "n")
    )
    var seed: UInt64 = 0

    @Option(
        name: .long,
        help: ArgumentHelp("End where this text comes; may be repeated.", valueName: "text")
    )
    var stop: [String] = []

    func validate() throws {
        guard maxTokens > 0 else { throw ValidationError("--max-tokens takes a number from 1") }
        if let temperature, !(temperature >= 0 && temperature.isFinite) {
            throw ValidationError("--temperature takes a number from 0, not \(temperature)")
        }
        if let topK, topK < 1 {
            throw ValidationError("--top-k takes a number from 1, not \(topK)")
        }
        guard topP > 0, topP <= 1 else {
            throw ValidationError("--top-p takes a number above 0 and up to 1, not \(topP)")
        }
        guard minP >= 0, minP <= 1 else {
            throw ValidationError("--min-p takes a number from 0 to 1, not \(minP)")
        }
        guard repetitionPenalty > 0, repetitionPenalty.isFinite else {
            throw ValidationError("--repetition-penalty takes a number above 0")
        }
    }

    /// The options for the library.
    /// - Parameters:
    ///   - mode: how operands are rounded.
    ///   - usual: the temperature if none was given.
    /// - Returns: the options.
    func options(_ mode: ComputeMode, temperature usual: Float) -> GenerationOptions {
        GenerationOptions(
            maximumTokenCount: maxTokens,
            sampling: SamplingOptions(
                temperature: temperature ?? usual,
                topK: topK,
                topP: topP,
                minP: minP,
                repetitionPenalty: repetitionPenalty,
                seed: seed
            ),
            mode: mode
        )
    }

    /// Makes an answer, and writes it as it comes.
    /// - Parameters:
    ///   - tokens: what is continued.
    ///   - model: which continues it.
    ///   - options: how the model is run.
    ///   - cache: of what came before in a conversation.
    ///   - usual: the temperature if none was given.
    ///   - streams: whether the text is written to standard output.
    ///   - stop: ends the answer.
    /// - Returns: the answer, and how fast it came.
    /// - Throws: as `TextModel.generate`, and `file.io` if the text cannot be written.
    func answer(
        to tokens: [Int],
        by model: TextModel,
        _ options: ModelOptions,
        cache: KeyValueCache? = nil,
        temperature usual: Float,
        streams: Bool,
        stop: StopFlag
    ) throws(CheckpointError) -> (answer: TextModel.Answer, meter: TokenMeter) {
        var meter = TokenMeter(
            promptTokenCount: tokens.count - (cache?.reusableCount(for: tokens) ?? 0)
        )
        var failure: CheckpointError?
        let answer = try model.generate(
            tokens,
            options: self.options(options.mode.mode, temperature: usual),
            stopTexts: self.stop,
            cache: cache,
            on: options.workers
        ) { piece in
            meter.record()
            if streams {
                do throws(CheckpointError) {
                    try StandardStream.put(piece)
                } catch {
                    failure = error
                }
            }
            return failure == nil && !stop.isSet
        }
        if let failure { throw failure }
        meter.finish(tokenCount: answer.tokens.count)
        return (answer, meter)
    }
}
