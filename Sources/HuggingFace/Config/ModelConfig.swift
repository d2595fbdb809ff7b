public import Files

/// A validated `config.json` of a known architecture, and the modules it implies.
public struct ModelConfig: Sendable {
    /// The whole file.
    public let json: JSONObject
    /// The family.
    public let architecture: Architecture
    /// Channels of the residual stream.
    public let hiddenSize: Int
    /// Channels inside the feed-forward block.
    public let intermediateSize: Int
    /// Number of blocks.
    public let layerCount: Int
    /// Number of query heads.
    public let headCount: Int
    /// Number of key and value heads; divides `headCount`.
    public let keyValueHeadCount: Int
    /// Channels of one head.
    public let headDimension: Int
    /// Rows of the embedding.
    public let vocabularySize: Int
    /// The longest sequence the model was made for, if the file says so.
    public let contextLength: Int?
    /// Whether the output head is the embedding, and not stored.
    public let tiesWordEmbeddings: Bool
    /// All modules that have a weight, in the order of the network; the output head only if it is
    /// stored.
    package let modules: [ModelModule]
    private let positions: [Name: Int]

    /// Validates `config.json` and derives the modules.
    ///
    /// - Parameters:
    ///   - json: the file.
    ///   - hasBasePrefix: whether the names of the decoder's tensors begin with that of the
    ///     decoder (`model.`, `transformer.`); checkpoints of the bare decoder lack it.
    /// - Throws: `json.…`, `config.range` or `config.unsupported`, with key and offset.
    package init(json: JSONObject, hasBasePrefix: Bool = true) throws(CheckpointError) {
        let architecture = try Architecture(configuration: json)
        let sizes = try ModelSizes(json, architecture)
        self.json = json
        self.architecture = architecture
        hiddenSize = sizes.hidden
        intermediateSize = sizes.intermediate
        layerCount = sizes.layers
        headCount = sizes.heads
        keyValueHeadCount = sizes.keyValueHeads
        headDimension = sizes.headDimension
        vocabularySize = sizes.vocabulary
        contextLength = sizes.context
        tiesWordEmbeddings =
            try json.optionalBool("tie_word_embeddings") ?? architecture.tiesWordEmbeddingsByDefault
        try ModelConfig.checkActivation(json)
        try RotaryCheck(json).check()
        modules = try ModuleList(
            architecture: architecture,
            sizes: sizes,
            json: json,
            storesHead: !tiesWordEmbeddings,
            hasBasePrefix: hasBasePrefix
        ).modules
        var positions = [Name: Int](minimumCapacity: 2 * modules.count)
        for (index, module) in modules.enumerated() {
            positions[module.weightName] = index
            if let biasName = module.biasName { positions[biasName] = index }
        }
        self.positions = positions
    }

    /// The module of a weight or a bias, for example of `model.layers.0.mlp.up_proj.weight`.
    package func module(owning tensor: Name) -> ModelModule? {
        positions[tensor].map { modules[$0] }
    }

    /// The shape that the configuration implies for a tensor of a float checkpoint; nil for a
    /// tensor it does not imply.
    public func expectedShape(of tensor: Name) -> [Int]? {
        guard let module = module(owning: tensor) else { return nil }
        if tensor == module.weightName { return module.weightShape }
        return module.biasCount.map { [$0] }
    }

    /// The modules that bitsandbytes quantizes unless told otherwise: all linear ones but the
    /// output head.
    package var quantizableModules: [ModelModule] {
        modules.filter { $0.kind == .linear || $0.kind == .convolution1D }
    }
}

extension ModelConfig {
    /// The sizes that shapes follow from, under the names of the file; for messages.
    var sizesText: String {
        let sizes =
            architecture == .gpt2
            ? [("n_embd", hiddenSize), ("n_inner", intermediateSize), ("n_head", headCount)]
            : [
                ("hidden_size", hiddenSize), ("intermediate_size", intermediateSize),
                ("num_attention_heads", headCount), ("num_key_value_heads", keyValueHeadCount),
                ("head_dim", headDimension),
            ]
        return (sizes + [("vocab_size", vocabularySize)])
            .map { "\($0) \($1)" }.joined(separator: ", ")
    }

    private static let activations: Set<String> = [
        "silu", "swish", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu",
    ]

    private static func checkActivation(_ json: JSONObject) throws(CheckpointError) {
        for key: Name in ["hidden_act", "hidden_activation", "activation_function"] {
            guard let value = try json.optionalString(key), !activations.contains(value) else {
                continue
            }
            throw CheckpointError(
                .configUnsupported,
                "the activation \"\(Name.printable(value))\" is not known",
                key: key.text,
                offset: json.member(key)?.valueOffset
            )
        }
    }
}
