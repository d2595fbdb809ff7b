public import CheckpointIO
public import Machine
public import SIMDKernels

/// How text is continued.
public struct GenerationOptions: Sendable {
    /// Tokens to make at most, for each sequence.
    public var maximumTokenCount: Int
    /// Tokens that end a sequence; they are part of the result.
    public var stopTokens: Set<Int>
    /// How the next token is chosen.
    public var sampling: SamplingOptions
    /// How operands of products are rounded.
    public var mode: ComputeMode
    /// Tokens of prompts that pass at once, so that memory does not grow with them.
    public var promptTokensAtOnce = 512

    /// Makes options.
    public init(
        maximumTokenCount: Int = 128,
        stopTokens: Set<Int> = [],
        sampling: SamplingOptions = SamplingOptions(),
        mode: ComputeMode = .bfloat16
    ) {
        precondition(maximumTokenCount >= 0, "\(maximumTokenCount) tokens")
        self.maximumTokenCount = maximumTokenCount
        self.stopTokens = stopTokens
        self.sampling = sampling
        self.mode = mode
    }
}

/// Tokens that continue a prompt.
public struct GeneratedSequence: Sendable, Hashable {
    /// Why a sequence ends.
    public enum End: String, Sendable {
        /// By a token of `stopTokens`.
        case stopToken
        /// As many tokens as wanted are there.
        case length
        /// The model was not made for longer sequences.
        case context
        /// Whoever received the tokens wanted no more.
        case receiver
    }

    /// The tokens, without the prompt's.
    public var tokens: [Int] = []
    /// Why there are no more.
    public var end = End.length
}

extension LanguageModel {
    /// Continues prompts, all at once: their next tokens are computed together.
    ///
    /// The result depends on the options alone; that of a prompt may differ from the one it has alone by
    /// roundings, as products of more rows are summed in another order.
    /// - Parameters:
    ///   - prompts: tokens, at least one each.
    ///   - options: how to go on.
    ///   - caches: of earlier sequences, one for each prompt: what a prompt begins with as they do is not
    ///     computed again, and they hold the new sequences afterwards. nil begins with empty ones.
    ///   - workers: the threads.
    ///   - receive: called with each token as it is made and the position of its prompt; false ends that
    ///     sequence.
    /// - Returns: a sequence for each prompt.
    /// - Throws: `model.context` if a prompt is longer than the model's context; `limit.memory`.
    /// - Precondition: the caches are of this model and of the type that goes with the mode.
    public func generate(
        _ prompts: [[Int]],
        options: GenerationOptions = GenerationOptions(),
        caches: [KeyValueCache]? = nil,
        on workers: WorkerPool = .shared(),
        receive: (_ prompt: Int, _ token: Int) -> Bool = { _, _ in true }
    ) throws(CheckpointError) -> [GeneratedSequence] {
        for prompt in prompts { try checkContext(prompt.count) }
        precondition(
            caches.map { $0.count == prompts.count } ?? true,
            "not one cache for each prompt"
        )
        var run = try DecoderRun(self, mode: options.mode, on: workers)
        var states: [Continuation] = []
        for (index, prompt) in prompts.enumerated() {
            let room = min(contextLength ?? .max, prompt.count + options.maximumTokenCount)
            let dtype = options.mode.cacheDType
            let cache = if let caches { caches[index] } else { try makeCache(as: dtype) }
            precondition(cache.dtype == dtype, "a cache of another mode")
            cache.truncate(to: cache.reusableCount(for: prompt))
            try cache.reserve(room)
            states.append(
                Continuation(
                    index: index,
                    cache: cache,
                    sampler: Sampler(options.sampling, prompt: prompt, stream: index)
                )
            )
        }
        guard options.maximumTokenCount > 0 else { return states.map(\.result) }
        var logits: [Float] = []
        for (prompt, index) in zip(prompts, states.indices) {
            var start = states[index].cache.count
            while start < prompt.count {
                let end = min(start + options.promptTokensAtOnce, prompt.count)
                let chunk = SequenceChunk(
                    Array(prompt[start..<end]),
                    following: states[index].cache,
                    sample: index
                )
                try run.feed([chunk], wanting: .last)
                if end == prompt.count { try run.computeLogits([end - start - 1], into: &logits) }
                start = end
            }
            states[index].take(logits[...], options, contextLength, receive)
        }
        while true {
            let active = states.indices.filter { !states[$0].isDone }
            guard !active.isEmpty else { return states.map(\.result) }
            try run.feed(
                active.map { index in
                    SequenceChunk(
                        [states[index].last],
                        following: states[index].cache,
                        sample: index
                    )
                }
            )
            try run.computeLogits(Array(active.indices), into: &logits)
            for (row, index) in active.enumerated() {
                let own = logits[row * vocabularySize..<(row + 1) * vocabularySize]
                states[index].take(own, options, contextLength, receive)
            }
        }
    }

    private func checkContext(_ tokens: Int) throws(CheckpointError) {
        precondition(tokens > 0, "a prompt without tokens")
        guard let contextLength, tokens > contextLength else { return }
        throw CheckpointError(
            .modelContext,
            "the prompt is longer than the model's context",
            expected: "at most \(contextLength) tokens",
            found: "\(tokens)"
        )
    }
}

/// A sequence that is being continued.
private struct Continuation {
    let index: Int
    let cache: KeyValueCache
    var sampler: Sampler
    var result = GeneratedSequence()
    var isDone = false

    var last: Int { result.tokens.last ?? 0 }

    mutating func take(
        _ logits: ArraySlice<Float>,
        _ options: GenerationOptions,
        _ contextLength: Int?,
        _ receive: (Int, Int) -> Bool
    ) {
        let token = sampler.choose(logits)
        result.tokens.append(token)
        let goesOn = receive(index, token)
        if options.stopTokens.contains(token) {
            result.end = .stopToken
        } else if !goesOn {
            result.end = .receiver
        } else if result.tokens.count >= options.maximumTokenCount {
            result.end = .length
        } else if let contextLength, cache.count >= contextLength {
            result.end = .context
        } else {
            return
        }
        isDone = true
    }
}
