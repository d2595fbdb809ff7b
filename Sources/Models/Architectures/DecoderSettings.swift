internal import CheckpointIO

/// What a decoder computes, as far as `config.json` decides and shapes do not: all that tells the
/// architectures apart.
struct DecoderSettings: Sendable {
    /// `ε` of all norms.
    var normEpsilon: Float
    /// The rotation of queries and keys.
    var rotary: RotaryEmbedding
    /// Whether queries and keys are normalized head by head before they are rotated.
    var normalizesHeads = false
    /// For each layer how many tokens a query sees; nil: all before it.
    var windows: [Int?]

    /// Reads the settings of a configuration.
    /// - Throws: `config.unsupported` for an architecture or a value that cannot be run.
    init(_ config: ModelConfig) throws(CheckpointError) {
        let json = config.json
        normEpsilon = Float(try json.optionalDouble("rms_norm_eps") ?? 1e-6)
        rotary = try RotaryEmbedding(config)
        windows = Array(repeating: nil, count: config.layerCount)
        if let activation = try json.optionalString("hidden_act"),
            !["silu", "swish"].contains(activation)
        {
            throw CheckpointError.unsupported("hidden_act", activation, in: json)
        }
        guard config.headDimension.isMultiple(of: 2) else {
            throw CheckpointError.unsupported("head_dim", "\(config.headDimension)", in: json)
        }
        switch config.architecture {
        case .llama: break
        case .mistral: try useMistral(json)
        case .qwen2: try useQwen2(json)
        case .qwen3: try useQwen3(json)
        case .phi3, .gemma, .gemma2, .gpt2:
            throw CheckpointError.unsupported(
                "architectures",
                config.architecture.rawValue,
                in: json
            )
        }
    }

    /// Reads windows of attention that `layer_types` may give to each layer.
    /// - Parameters:
    ///   - json: the file.
    ///   - window: of layers that have one.
    ///   - isWindowed: whether a layer has one if `layer_types` is absent.
    /// - Throws: `config.unsupported`, and what reading throws.
    mutating func setWindows(
        _ json: JSONObject,
        _ window: Int?,
        _ isWindowed: (Int) -> Bool
    ) throws(CheckpointError) {
        if let window, window < 1 {
            throw CheckpointError.unsupported("sliding_window", "\(window)", in: json)
        }
        let types = try json.optionalStrings("layer_types")
        if let types, types.count != windows.count {
            throw CheckpointError.unsupported("layer_types", "of \(types.count) layers", in: json)
        }
        for layer in windows.indices {
            switch types?[layer] {
            case nil: windows[layer] = isWindowed(layer) ? window : nil
            case "full_attention": windows[layer] = nil
            case "sliding_attention": windows[layer] = window
            case .some(let type): throw CheckpointError.unsupported("layer_types", type, in: json)
            }
        }
    }
}
