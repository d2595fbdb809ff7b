public import CheckpointIO
public import Machine
internal import Models
internal import QLoRA
internal import Quant
internal import SIMDKernels

/// Measures what a whole model does: reading prompts, writing text, with adapters and in batches.
///
/// Every task is run in turn, so that all meet the same moments of a shared machine; medians are compared.
public struct ModelBenchmark {
    /// What is measured.
    public enum Task: String, Sendable, Hashable, CaseIterable {
        /// One token after the other, with the head as it is stored.
        case decode
        /// The same, with the head in int8 or NF4.
        case decodeInt8Head = "decode, int8 head"
        case decodeNF4Head = "decode, NF4 head"
        /// With an adapter of rank 16 on all linear layers of the decoder, which is not merged.
        case decodeAdapter = "decode, adapter"
        case decodeNF4HeadAdapter = "decode, NF4 head, adapter"
        /// A prompt, operands rounded to bfloat16 or to int8.
        case prompt
        case promptInt8 = "prompt, int8"
        /// Eight sequences at once: without adapters, with one on all, with four in turn.
        case batch
        case batchOneAdapter = "batch, 1 adapter"
        case batchFourAdapters = "batch, 4 adapters"

        /// The tasks whose names contain a text; all for nil.
        public static func matching(_ filter: String?) -> [Task] {
            allCases.filter { task in filter.map { task.rawValue.contains($0) } ?? true }
        }
    }

    /// A measurement.
    public struct Row: Sendable {
        /// What was measured.
        public let task: Task
        /// Tokens of a run, of all sequences together.
        public let tokenCount: Int
        /// The median of all runs.
        public let seconds: Double
        /// Tokens a second.
        public var rate: Double { Double(tokenCount) / seconds }
    }

    /// The rank of the adapters.
    public static let rank = 16
    /// Tokens before those that are written.
    public static let shortPromptCount = 30
    /// Tokens that are written.
    public static let writtenCount = 128
    /// Sequences of a batch.
    public static let batchCount = 8

    /// Tokens of a long prompt: 512, or as many as the model can read.
    public let longPromptCount: Int
    private let model: LanguageModel
    private let withInt8Head: LanguageModel
    private let withNF4Head: LanguageModel
    private let withAdapter: LanguageModel
    private let withNF4HeadAndAdapter: LanguageModel
    private let withOneForAll: LanguageModel
    private let withFour: LanguageModel
    private let workers: WorkerPool

    /// Prepares a model; weights of its layers that are not quantized are, to NF4.
    /// - Throws: what loading throws; `model.context` if it cannot read and write enough.
    public init(_ checkpoint: Checkpoint, on workers: WorkerPool) throws(CheckpointError) {
        self.workers = workers
        let options = LanguageModel.LoadingOptions(quantization: .nf4)
        model = try LanguageModel(checkpoint, options: options, on: workers)
        let longest = model.contextLength ?? .max
        let needed = Self.shortPromptCount + Self.writtenCount
        guard longest >= needed else {
            throw CheckpointError(
                .modelContext,
                "the model's context is too short to be measured",
                expected: "at least \(needed) tokens",
                found: "\(longest)"
            )
        }
        longPromptCount = min(longest, 512)
        withInt8Head = try Self.withHead(model, .init(.int8Vectorwise))
        withNF4Head = try Self.withHead(model, .nf4)
        withAdapter = try Self.adapted(model, count: 1).model()
        withNF4HeadAndAdapter = try Self.adapted(withNF4Head, count: 1).model()
        let four = try Self.adapted(model, count: 4)
        withOneForAll = try four.model(adapterOfSample: Self.names(1))
        withFour = try four.model(adapterOfSample: Self.names(4))
    }

    private static func withHead(
        _ model: LanguageModel,
        _ config: QuantizationConfig
    ) throws(CheckpointError) -> LanguageModel {
        var model = model
        guard let head = model.head as? Linear else { return model }
        let quantized = try head.weight.dequantized().quantized(using: config)
        model.head = Linear(try PreparedWeight(quantized), bias: head.bias)
        return model
    }

    private static func names(_ count: Int) -> [String] {
        (0..<batchCount).map { "\($0 % count)" }
    }

    private static func adapted(
        _ base: LanguageModel,
        count: Int
    ) throws(CheckpointError) -> AdaptedModel {
        var model = AdaptedModel(base)
        var generator = SplitMix64(seed: 7)
        for index in 0..<count {
            var factors: [String: LoRAAdapter] = [:]
            var own = base
            own.mapLinearLayers { name, layer in
                guard name != "lm_head" else { return layer }
                factors[name] = LoRAAdapter(
                    a: .random(rank, layer.inputCount, &generator),
                    b: .random(layer.outputCount, rank, &generator),
                    scaling: 0x1p-10
                )
                return layer
            }
            try model.add(factors, as: "\(index)")
        }
        try model.activate(["0"])
        return model
    }

    /// Measures tasks.
    /// - Parameters:
    ///   - tasks: what to measure.
    ///   - roundCount: how often each task is run.
    ///   - progress: is called before each run.
    /// - Returns: a row for each task.
    /// - Throws: `limit.memory`.
    public func run(
        _ tasks: [Task] = Task.allCases,
        roundCount: Int,
        progress: (Task, Int) -> Void = { _, _ in }
    ) throws(CheckpointError) -> [Row] {
        var times: [Task: [Double]] = [:]
        for round in 0..<roundCount {
            for task in tasks {
                progress(task, round)
                times[task, default: []].append(try seconds(of: task))
            }
        }
        return tasks.map { task in
            let sorted = (times[task] ?? []).sorted()
            return Row(
                task: task,
                tokenCount: tokenCount(of: task),
                seconds: sorted.isEmpty ? .nan : sorted[sorted.count / 2]
            )
        }
    }

    private func tokenCount(of task: Task) -> Int {
        switch task {
        case .prompt, .promptInt8: longPromptCount
        case .batch, .batchOneAdapter, .batchFourAdapters:
            Self.batchCount * Self.writtenCount / 4
        default: Self.writtenCount
        }
    }

    private func seconds(of task: Task) throws(CheckpointError) -> Double {
        switch task {
        case .decode: try decode(model)
        case .decodeInt8Head: try decode(withInt8Head)
        case .decodeNF4Head: try decode(withNF4Head)
        case .decodeAdapter: try decode(withAdapter)
        case .decodeNF4HeadAdapter: try decode(withNF4HeadAndAdapter)
        case .prompt: try prompt(.bfloat16)
        case .promptInt8: try prompt(.int8)
        case .batch: try batch(model)
        case .batchOneAdapter: try batch(withOneForAll)
        case .batchFourAdapters: try batch(withFour)
        }
    }

    private func tokens(_ count: Int, _ sample: Int = 0) -> [Int] {
        (0..<count).map { (97 * $0 + 31 * sample) % model.vocabularySize }
    }

    private func decode(_ model: LanguageModel) throws(CheckpointError) -> Double {
        try write(model, sampleCount: 1, stepCount: Self.writtenCount)
    }

    private func batch(_ model: LanguageModel) throws(CheckpointError) -> Double {
        try write(model, sampleCount: Self.batchCount, stepCount: Self.writtenCount / 4)
    }

    /// The time to write tokens, after prompts that are not counted.
    private func write(
        _ model: LanguageModel,
        sampleCount: Int,
        stepCount: Int
    ) throws(CheckpointError) -> Double {
        var run = try DecoderRun(model, mode: .bfloat16, on: workers)
        var caches: [KeyValueCache] = []
        for _ in 0..<sampleCount {
            caches.append(
                try model.makeCache(
                    reserving: Self.shortPromptCount + stepCount,
                    as: ComputeMode.bfloat16.cacheDType
                )
            )
        }
        func feed(_ tokens: (Int) -> [Int]) throws(CheckpointError) {
            try run.feed(
                caches.enumerated().map { sample, cache in
                    SequenceChunk(tokens(sample), following: cache, sample: sample)
                }
            )
        }
        try feed { self.tokens(Self.shortPromptCount, $0) }
        var logits: [Float] = []
        let start = ContinuousClock.now
        for step in 0..<stepCount {
            try feed { [self.tokens(step + 1, $0)[step]] }
            try run.computeLogits(Array(0..<sampleCount), into: &logits)
        }
        return (ContinuousClock.now - start).inSeconds
    }

    /// The time from a long prompt to the logits of the token that follows.
    private func prompt(_ mode: ComputeMode) throws(CheckpointError) -> Double {
        let tokens = tokens(longPromptCount)
        let start = ContinuousClock.now
        var run = try DecoderRun(model, mode: mode, on: workers)
        let cache = try model.makeCache(reserving: tokens.count, as: mode.cacheDType)
        try run.feed([SequenceChunk(tokens, following: cache)], wanting: .last)
        var logits: [Float] = []
        try run.computeLogits([tokens.count - 1], into: &logits)
        return (ContinuousClock.now - start).inSeconds
    }
}

extension Duration {
    /// The same as a number.
    var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
