internal import CheckpointIO
internal import Machine
internal import SIMDKernels

/// Tokens that follow what a cache holds.
public struct SequenceChunk {
    /// The tokens, at least one.
    public let tokens: [Int]
    /// What came before them; receives them.
    public let cache: KeyValueCache
    /// Which sample of a batch it is, for models that treat them differently.
    public let sample: Int

    /// Makes a chunk.
    /// - Precondition: there is a token.
    public init(_ tokens: [Int], following cache: KeyValueCache, sample: Int = 0) {
        precondition(!tokens.isEmpty, "a chunk without tokens")
        self.tokens = tokens
        self.cache = cache
        self.sample = sample
    }
}

/// What the layers of a decoder share while some tokens pass through them.
struct DecoderPass {
    /// The tokens, sequence by sequence; rows of activations follow their order.
    let chunks: [SequenceChunk]
    let rotary: RotaryEmbedding
    /// For each row that of its position.
    let angles: RotaryEmbedding.Angles
    /// What the single layers get to know.
    let layers: LayerPass
    /// Whether a layer computes outputs of the last token of each chunk only.
    var isForLastTokens = false
    var workers: WorkerPool { layers.workers }
    /// The tokens of all chunks.
    var rowCount: Int { layers.samples.count }

    init(
        _ chunks: [SequenceChunk],
        _ rotary: RotaryEmbedding,
        mode: ComputeMode,
        workers: WorkerPool
    ) {
        self.chunks = chunks
        self.rotary = rotary
        layers = LayerPass(
            mode: mode,
            on: workers,
            samples: chunks.flatMap { chunk in chunk.tokens.map { _ in chunk.sample } }
        )
        angles = rotary.angles(
            of: chunks.flatMap { $0.cache.count..<$0.cache.count + $0.tokens.count }
        )
    }

    /// The row of the last token of each chunk.
    var lastRows: [Int] {
        var end = 0
        return chunks.map { chunk in
            end += chunk.tokens.count
            return end - 1
        }
    }

    /// What the linear layers behind attention get to know.
    var outputs: LayerPass {
        guard isForLastTokens else { return layers }
        return LayerPass(mode: layers.mode, on: workers, samples: chunks.map(\.sample))
    }
}

extension LayerPass {
    /// Runs linear layers of the same input; their outputs stand one behind the other.
    func run(
        _ group: [any LinearLayer],
        _ x: ArraySlice<Float>,
        into y: inout [Float],
        accumulates: Bool = false,
        _ workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        try unsafe x.withUnsafeBufferPointer { (x) throws(CheckpointError) in
            try y.withMutableFloatSpan { (y) throws(CheckpointError) in
                try forward(
                    group,
                    unsafe Span(_unsafeElements: x),
                    into: &y,
                    accumulates: accumulates,
                    &workspace
                )
            }
        }
    }
}

/// Scratch memory of a decoder, kept by whoever runs it.
struct DecoderBuffers: ~Copyable {
    var layers: LayerWorkspace
    var normalized: [Float] = []
    /// Queries of all rows, then keys, then values.
    var projections: [Float] = []
    var attended: [Float] = []
    /// The gates of all rows, then what they let through.
    var gateAndUp: [Float] = []
    private var scratch: [Float] = []

    init() throws(CheckpointError) {
        layers = try LayerWorkspace()
    }

    /// Makes room for so many tokens of a model.
    mutating func prepare(_ tokens: Int, _ config: ModelConfig) {
        let queryWidth = config.headCount * config.headDimension
        let keyWidth = config.keyValueHeadCount * config.headDimension
        Self.resize(&normalized, tokens * config.hiddenSize)
        Self.resize(&projections, tokens * (queryWidth + 2 * keyWidth))
        Self.resize(&attended, tokens * queryWidth)
        Self.resize(&gateAndUp, 2 * tokens * config.intermediateSize)
    }

    /// Leaves room for fewer tokens in attention's outputs and what follows.
    mutating func shorten(from tokens: Int, to count: Int) {
        Self.resize(&attended, attended.count / tokens * count)
        Self.resize(&normalized, normalized.count / tokens * count)
        Self.resize(&gateAndUp, gateAndUp.count / tokens * count)
    }

    /// Makes room for the scores of attention.
    mutating func prepareScratch(_ count: Int) {
        if scratch.count < count { Self.resize(&scratch, count) }
    }

    static func resize(_ buffer: inout [Float], _ count: Int) {
        if buffer.count > count {
            buffer.removeLast(buffer.count - count)
        } else if buffer.count < count {
            buffer.append(contentsOf: repeatElement(0, count: count - buffer.count))
        }
    }

    /// Calls `body` with what attention reads, its outputs, and room for scores.
    mutating func withAttention(
        _ body: (Span<Float>, inout MutableSpan<Float>, inout [Float]) -> Void
    ) {
        projections.withFloatSpan { projections in
            attended.withMutableFloatSpan { body(projections, &$0, &scratch) }
        }
    }
}
