internal import Files

/// The modules of a model, in the order of the network.
struct ModuleList {
    private(set) var modules: [ModelModule] = []
    private let sizes: ModelSizes

    init(
        architecture: Architecture,
        sizes: ModelSizes,
        json: JSONObject,
        storesHead: Bool,
        hasBasePrefix: Bool
    ) throws(CheckpointError) {
        self.sizes = sizes
        if architecture == .gpt2 {
            addGPT2(prefix: hasBasePrefix ? "transformer." : "")
        } else {
            try addDecoder(architecture, json, prefix: hasBasePrefix ? "model." : "")
        }
        if storesHead {
            add("lm_head", .outputHead, [sizes.vocabulary, sizes.hidden])
        }
    }

    // MARK: Llama-like decoders

    private mutating func addDecoder(
        _ architecture: Architecture,
        _ json: JSONObject,
        prefix base: String
    ) throws(CheckpointError) {
        let biases = try Biases(json, architecture)
        add(base + "embed_tokens", .embedding, [sizes.vocabulary, sizes.hidden])
        for layer in 0..<sizes.layers {
            let prefix = base + "layers.\(layer)."
            addAttention(prefix + "self_attn.", architecture, biases)
            addFeedForward(prefix + "mlp.", architecture, biases)
            addNorm(prefix + "input_layernorm")
            addNorm(prefix + "post_attention_layernorm")
            if architecture == .gemma2 {
                addNorm(prefix + "pre_feedforward_layernorm")
                addNorm(prefix + "post_feedforward_layernorm")
            }
        }
        addNorm(base + "norm")
    }

    private mutating func addAttention(
        _ prefix: String,
        _ architecture: Architecture,
        _ biases: Biases
    ) {
        let queries = sizes.heads * sizes.headDimension
        let keys = sizes.keyValueHeads * sizes.headDimension
        if architecture == .phi3 {
            add(prefix + "qkv_proj", .linear, [queries + 2 * keys, sizes.hidden])
        } else {
            for (name, rows) in [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)] {
                add(
                    prefix + name,
                    .linear,
                    [rows, sizes.hidden],
                    bias: biases.queryKeyValue ? rows : nil
                )
            }
        }
        add(
            prefix + "o_proj",
            .linear,
            [sizes.hidden, queries],
            bias: biases.attentionOutput ? sizes.hidden : nil
        )
        if architecture == .qwen3 {
            add(prefix + "q_norm", .norm, [sizes.headDimension])
            add(prefix + "k_norm", .norm, [sizes.headDimension])
        }
    }

    private mutating func addFeedForward(
        _ prefix: String,
        _ architecture: Architecture,
        _ biases: Biases
    ) {
        let inner = sizes.intermediate
        if architecture == .phi3 {
            add(prefix + "gate_up_proj", .linear, [2 * inner, sizes.hidden])
        } else {
            let bias = biases.feedForward ? inner : nil
            add(prefix + "gate_proj", .linear, [inner, sizes.hidden], bias: bias)
            add(prefix + "up_proj", .linear, [inner, sizes.hidden], bias: bias)
        }
        add(
            prefix + "down_proj",
            .linear,
            [sizes.hidden, inner],
            bias: biases.feedForward ? sizes.hidden : nil
        )
    }

    // MARK: GPT-2

    private mutating func addGPT2(prefix: String) {
        let hidden = sizes.hidden
        add(prefix + "wte", .embedding, [sizes.vocabulary, hidden])
        add(prefix + "wpe", .embedding, [sizes.context ?? 0, hidden])
        for layer in 0..<sizes.layers {
            let block = prefix + "h.\(layer)."
            add(block + "ln_1", .norm, [hidden], bias: hidden)
            addConvolution(block + "attn.c_attn", inputs: hidden, outputs: 3 * hidden)
            addConvolution(block + "attn.c_proj", inputs: hidden, outputs: hidden)
            add(block + "ln_2", .norm, [hidden], bias: hidden)
            addConvolution(block + "mlp.c_fc", inputs: hidden, outputs: sizes.intermediate)
            addConvolution(block + "mlp.c_proj", inputs: sizes.intermediate, outputs: hidden)
        }
        add(prefix + "ln_f", .norm, [hidden], bias: hidden)
    }

    // MARK: Modules

    private mutating func addNorm(_ path: String) {
        add(path, .norm, [sizes.hidden])
    }

    private mutating func addConvolution(_ path: String, inputs: Int, outputs: Int) {
        add(path, .convolution1D, [inputs, outputs], bias: outputs)
    }

    private mutating func add(
        _ path: String,
        _ kind: ModelModule.Kind,
        _ weightShape: [Int],
        bias: Int? = nil
    ) {
        modules.append(
            ModelModule(path: Name(path), kind: kind, weightShape: weightShape, biasCount: bias)
        )
    }
}

/// Which linear layers of a decoder have biases.
private struct Biases {
    let queryKeyValue: Bool
    let attentionOutput: Bool
    let feedForward: Bool

    init(_ json: JSONObject, _ architecture: Architecture) throws(CheckpointError) {
        let announced = try json.optionalBool("attention_bias") ?? false
        switch architecture {
        case .llama, .qwen3, .gemma, .gemma2:
            queryKeyValue = announced
            attentionOutput = announced
        case .qwen2:
            queryKeyValue = true
            attentionOutput = false
        case .mistral, .phi3, .gpt2:
            queryKeyValue = false
            attentionOutput = false
        }
        let announcesFeedForward = try json.optionalBool("mlp_bias") ?? false
        feedForward = architecture == .llama && announcesFeedForward
    }
}
