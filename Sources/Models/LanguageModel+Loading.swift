public import CheckpointIO
public import Machine
public import Quant
internal import SIMDKernels
internal import Tensors

extension LanguageModel {
    /// How weights are held in memory.
    public struct LoadingOptions: Sendable {
        /// Quantizes the weights that are not, all but the head's, as converting the checkpoint would.
        public var quantization: QuantizationConfig?
        /// Quantizes the head, or a copy of the embedding if that is the head.
        public var headQuantization: QuantizationConfig?
        /// What memory is counted against.
        public var budget: MemoryBudget?
        /// What to accept of the checkpoint.
        public var checkpoint = Checkpoint.Options()

        /// Makes options; by default weights stay as they are stored.
        public init(
            quantization: QuantizationConfig? = nil,
            headQuantization: QuantizationConfig? = nil
        ) {
            self.quantization = quantization
            self.headQuantization = headQuantization
        }

        /// Opens a checkpoint with these options.
        func open(_ path: String) throws(CheckpointError) -> Checkpoint {
            var own = checkpoint
            own.budget = own.budget ?? budget
            return try Checkpoint(at: path, options: own)
        }
    }

    /// Opens a model: a folder, a file, or a name in the local Hugging Face cache; see `Checkpoint`.
    ///
    /// Quantized weights stay quantized, 16-bit ones 16 bits wide.
    /// - Parameters:
    ///   - path: of the model.
    ///   - options: whether to quantize while loading.
    ///   - workers: the threads.
    /// - Throws: `config.unsupported` for an architecture or a value that cannot be run; what opening
    ///   and reading throws.
    public init(
        at path: String,
        options: LoadingOptions = LoadingOptions(),
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        try self.init(options.open(path), options: options, on: workers)
    }

    /// Reads a model out of an open checkpoint.
    /// - Throws: as `init(at:)`.
    public init(
        _ checkpoint: Checkpoint,
        options: LoadingOptions = LoadingOptions(),
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        guard let config = checkpoint.model else {
            throw CheckpointError(
                .configUnsupported,
                "a model can be run only with a config.json of a known architecture",
                file: checkpoint.name
            )
        }
        if let foreign = checkpoint.foreignQuantization { throw foreign }
        let settings = try DecoderSettings(config)
        let loader = ModelLoader(checkpoint: checkpoint, config: config, options: options)
        let weights = try loader.matrices(on: workers)
        let prefix = checkpoint["embed_tokens.weight"] == nil ? "model." : ""

        func linear(_ path: String) throws(CheckpointError) -> Linear {
            try loader.linear(path, weights)
        }
        func norm(_ path: String) throws(CheckpointError) -> RMSNorm {
            RMSNorm(weight: try loader.vector(path + ".weight"), epsilon: settings.normEpsilon)
        }
        let table = try loader.embedding(prefix + "embed_tokens", weights)
        var layers: [DecoderLayer] = []
        for index in 0..<config.layerCount {
            let path = "\(prefix)layers.\(index)."
            let attention = AttentionShape(
                headCount: config.headCount,
                keyValueHeadCount: config.keyValueHeadCount,
                width: config.headDimension,
                window: settings.windows[index],
                scale: 1 / Float(config.headDimension).squareRoot()
            )
            layers.append(
                DecoderLayer(
                    inputNorm: try norm(path + "input_layernorm"),
                    query: try linear(path + "self_attn.q_proj"),
                    key: try linear(path + "self_attn.k_proj"),
                    value: try linear(path + "self_attn.v_proj"),
                    output: try linear(path + "self_attn.o_proj"),
                    queryNorm: settings.normalizesHeads
                        ? try norm(path + "self_attn.q_norm") : nil,
                    keyNorm: settings.normalizesHeads ? try norm(path + "self_attn.k_norm") : nil,
                    feedForwardNorm: try norm(path + "post_attention_layernorm"),
                    gate: try linear(path + "mlp.gate_proj"),
                    up: try linear(path + "mlp.up_proj"),
                    down: try linear(path + "mlp.down_proj"),
                    attention: attention
                )
            )
        }
        self.init(
            config: config,
            settings: settings,
            prefix: prefix,
            embedding: Embedding(table),
            layers: layers,
            finalNorm: try norm(prefix + "norm"),
            head: config.tiesWordEmbeddings
                ? Linear(try loader.tiedHead(table, prefix + "embed_tokens"))
                : try linear("lm_head"),
            warnings: checkpoint.warnings
        )
    }
}

/// Reads the weights of a model.
struct ModelLoader {
    let checkpoint: Checkpoint
    let config: ModelConfig
    let options: LanguageModel.LoadingOptions

    /// Reads all matrices, several at a time.
    func matrices(on workers: WorkerPool) throws(CheckpointError) -> [String: any LinearWeight] {
        let modules = config.modules.filter { $0.weightShape.count == 2 }
        let arena = MemoryArena(
            expecting: modules.reduce(0) { $0 + preparedByteCount($1) },
            budget: options.budget
        )
        let weights = try workers.map(modules.count) {
            (index, _) throws(CheckpointError) -> any LinearWeight in
            try matrix(modules[index], arena)
        }
        return Dictionary(
            uniqueKeysWithValues: zip(modules.map { $0.path.text }, weights)
        )
    }

    /// About as many bytes as a weight takes if it is quantized: 4 bits and a scale for 64 of them.
    private func preparedByteCount(_ module: ModelModule) -> Int {
        let rows = (module.weightShape[0] + 15) / 16 * 16
        let isQuantized: Bool =
            switch module.kind {
            case .linear: checkpoint.quantization != nil || options.quantization != nil
            case .outputHead: options.headQuantization != nil
            default: false
            }
        return isQuantized ? rows * module.weightShape[1] * 9 / 16 + 128 : 0
    }

    private func matrix(
        _ module: ModelModule,
        _ arena: MemoryArena
    ) throws(CheckpointError) -> any LinearWeight {
        let name = module.weightName
        guard let view = checkpoint[name] else {
            throw CheckpointError(.modelTensorMissing, "there is no such tensor", tensor: name)
        }
        if let stored = try StoredQuantization(view, in: checkpoint) {
            return try PreparedWeight(
                QuantizedMatrix(stored),
                outlierThreshold: checkpoint.quantization?.outlierThreshold.map(Float.init)
                    ?? PreparedWeight.usualOutlierThreshold,
                in: arena
            )
        }
        let quantization: QuantizationConfig? =
            switch module.kind {
            case .linear: options.quantization
            case .outputHead: options.headQuantization
            default: nil
            }
        if let quantization { return try quantized(view, using: quantization, arena) }
        // A head that is tied to the table multiplies with it, unless it is a quantized copy.
        let isTable =
            module.kind == .embedding
            && (!config.tiesWordEmbeddings || options.headQuantization != nil)
        if let weight = try DenseWeight(reading: view, isTable: isTable) { return weight }
        return DenseWeight(try Matrix(name, in: checkpoint), as: floatType(of: view))
    }

    /// Quantizes a matrix of floats as converting the checkpoint would, a few rows at a time.
    private func quantized(
        _ view: TensorView,
        using quantization: QuantizationConfig,
        _ arena: MemoryArena?
    ) throws(CheckpointError) -> PreparedWeight {
        let shape = view.description.shape
        guard shape.count == 2, let stored = StoredFloats(view) else {
            throw CheckpointError(
                .quantUnsupported,
                "not a matrix of floats",
                file: view.fileName,
                tensor: view.description.name,
                found: "\(view.storedType) \(shape)"
            )
        }
        let type = floatType(of: view)
        let source: any FloatSource =
            stored.dtype == type ? stored : RoundedFloats(stored, to: type)
        return try PreparedWeight(
            QuantizedMatrix(
                quantizing: source,
                rowCount: shape[0],
                columnCount: shape[1],
                using: quantization
            ),
            budget: options.budget,
            in: arena
        )
    }

    private func floatType(of view: TensorView) -> FloatDType {
        FloatDType(view.isPlain ? view.description.dtype : checkpoint.preferredDType ?? .float32)
            ?? .float32
    }

    /// A linear layer, with its bias if it has one.
    func linear(
        _ path: String,
        _ weights: [String: any LinearWeight]
    ) throws(CheckpointError) -> Linear {
        let weight = try required(path, weights)
        let bias = Name(path + ".bias")
        return Linear(weight, bias: checkpoint[bias] == nil ? nil : try vector(path + ".bias"))
    }

    /// The table of tokens, which is dense.
    /// - Throws: `quant.unsupported` if it is quantized.
    func embedding(
        _ path: String,
        _ weights: [String: any LinearWeight]
    ) throws(CheckpointError) -> DenseWeight {
        guard let table = try required(path, weights) as? DenseWeight else {
            throw CheckpointError(
                .quantUnsupported,
                "a model with a quantized embedding cannot be run",
                tensor: Name(path + ".weight")
            )
        }
        return table
    }

    /// The head of a model that ties it to its embedding.
    /// - Parameters:
    ///   - table: of the embedding.
    ///   - path: the embedding's name.
    /// - Returns: the table, or a quantized copy.
    /// - Throws: what quantizing throws.
    func tiedHead(_ table: DenseWeight, _ path: String) throws(CheckpointError) -> any LinearWeight
    {
        guard let quantization = options.headQuantization,
            let view = checkpoint[Name(path + ".weight")]
        else { return table }
        return try quantized(view, using: quantization, nil)
    }

    private func required(
        _ path: String,
        _ weights: [String: any LinearWeight]
    ) throws(CheckpointError) -> any LinearWeight {
        guard let weight = weights[path] else {
            throw CheckpointError(
                .modelTensorMissing,
                "there is no such tensor",
                tensor: Name(path + ".weight")
            )
        }
        return weight
    }

    /// Reads a vector, widened to float32.
    func vector(_ name: String) throws(CheckpointError) -> [Float] {
        guard let floats = try checkpoint[Name(name)]?.floats() else {
            throw CheckpointError(
                .modelTensorMissing,
                "there is no such tensor of floats",
                tensor: Name(name)
            )
        }
        return floats
    }
}
