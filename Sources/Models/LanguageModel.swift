public import CheckpointIO
public import Machine
public import SIMDKernels
public import Tensors

/// A decoder that tells the next token: Llama, Mistral, Qwen2, Qwen3.
///
/// A value: copies share the weights, and a copy with adapters in its layers leaves the original as
/// it is. Running it changes nothing in it; what it has seen stands in caches.
///
/// ```swift
/// let model = try LanguageModel(at: "SmolLM2-135M-nf4")
/// let logits = try model.logits(of: [1, 4093, 198])
/// ```
public struct LanguageModel: Sendable {
    /// The validated `config.json`.
    public let config: ModelConfig
    /// The rows of tokens.
    public package(set) var embedding: any EmbeddingLayer
    /// The layers, from the embedding up.
    public package(set) var layers: [DecoderLayer]
    /// Before the head.
    public package(set) var finalNorm: RMSNorm
    /// Turns activations into logits.
    public package(set) var head: any LinearLayer
    let settings: DecoderSettings
    /// What begins the names of the layers: `model.`, or nothing in checkpoints of a bare decoder.
    package let prefix: String
    /// What is odd about its checkpoint, but does not keep it from being run.
    public let warnings: [CheckpointWarning]

    init(
        config: ModelConfig,
        settings: DecoderSettings,
        prefix: String,
        embedding: any EmbeddingLayer,
        layers: [DecoderLayer],
        finalNorm: RMSNorm,
        head: any LinearLayer,
        warnings: [CheckpointWarning]
    ) {
        self.config = config
        self.settings = settings
        self.prefix = prefix
        self.embedding = embedding
        self.layers = layers
        self.finalNorm = finalNorm
        self.head = head
        self.warnings = warnings
    }

    /// The tokens it has logits for.
    public var vocabularySize: Int { head.outputCount }
    /// The longest sequence it was made for, if its configuration says so.
    public var contextLength: Int? { config.contextLength }

    /// Makes an empty cache for a sequence.
    /// - Parameters:
    ///   - tokens: how many are expected; more fit, too.
    ///   - dtype: of keys and values: bfloat16, or float32 where nothing may be rounded.
    ///   - budget: what the memory is counted against.
    /// - Returns: the cache; it grows by itself.
    /// - Throws: `limit.memory`.
    public func makeCache(
        reserving tokens: Int = 0,
        as dtype: FloatDType = .float32,
        budget: MemoryBudget? = nil
    ) throws(CheckpointError) -> KeyValueCache {
        let cache = KeyValueCache(
            layerCount: layers.count,
            width: config.keyValueHeadCount * config.headDimension,
            as: dtype,
            budget: budget
        )
        try cache.reserve(tokens)
        return cache
    }

    /// Returns the logits of the tokens that may follow each one.
    /// - Parameters:
    ///   - tokens: a sequence from its beginning, at least one.
    ///   - mode: how operands of products are rounded.
    ///   - workers: the threads; the result has the same bits for any number of them.
    /// - Returns: `[tokens, vocabulary]`.
    /// - Throws: `limit.memory`.
    /// - Precondition: every token has a row.
    public func logits(
        of tokens: [Int],
        mode: ComputeMode = .bfloat16,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) -> Matrix {
        var run = try DecoderRun(self, mode: mode, on: workers)
        let cache = try makeCache(reserving: tokens.count, as: mode.cacheDType)
        try run.feed([SequenceChunk(tokens, following: cache)])
        return try run.logits(0..<tokens.count)
    }

    /// Appends tokens to the embedding and the head, such as new ones that an adapter has trained.
    /// - Parameters:
    ///   - rows: of the embedding, `[count, hidden size]`.
    ///   - headRows: of the head; nil takes those of the embedding.
    /// - Precondition: embedding and head have no adapters, and the sizes fit.
    public mutating func appendTokens(_ rows: Matrix, headRows: Matrix? = nil) {
        guard let table = embedding as? Embedding, let head = head as? Linear, head.bias == nil
        else {
            preconditionFailure("the embedding or the head is no plain one")
        }
        let isTied = (head.weight as? DenseWeight) === table.weight
        let longer = table.weight.appending(rows)
        embedding = Embedding(longer, paddingIndex: table.paddingIndex, scale: table.scale)
        if isTied, headRows == nil {
            self.head = Linear(longer)
        } else {
            let weight =
                head.weight as? DenseWeight
                ?? DenseWeight(head.weight.dequantized(), as: head.weight.dtype)
            self.head = Linear(weight.appending(headRows ?? rows))
        }
    }

    /// Replaces linear layers by what is put in their place: themselves with adapters around them.
    /// - Parameter body: receives the layer's name, as `model.layers.0.self_attn.q_proj`, and the
    ///   layer.
    /// - Throws: what the body throws.
    package mutating func mapLinearLayers<Failure: Error>(
        _ body: (String, any LinearLayer) throws(Failure) -> any LinearLayer
    ) throws(Failure) {
        for index in layers.indices {
            for (name, path) in DecoderLayer.linearLayers {
                layers[index][keyPath: path] = try body(
                    "\(prefix)layers.\(index).\(name)",
                    layers[index][keyPath: path]
                )
            }
        }
        head = try body("lm_head", head)
    }

    /// Replaces norms.
    /// - Parameter body: receives the norm's name and the norm.
    package mutating func mapNorms(_ body: (String, RMSNorm) -> RMSNorm) {
        for index in layers.indices {
            layers[index].mapNorms("\(prefix)layers.\(index).", body)
        }
        finalNorm = body("\(prefix)norm", finalNorm)
    }

    /// The name of the embedding.
    package var embeddingName: String { prefix + "embed_tokens" }
}
