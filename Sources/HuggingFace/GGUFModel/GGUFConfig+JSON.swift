internal import Containers
internal import Files

extension GGUFConfig {
    /// Returns `config.json` as transformers reads it, announcing an element type by the name that
    /// PyTorch has for it.
    func json(dtype: String) throws(CheckpointError) -> JSONObject {
        var json: JSONObject = [
            "architectures": .array([.string(architecture.modelClass)]),
            "model_type": .string(architecture.rawValue),
            "hidden_act": "silu",
            "hidden_size": .integer(hiddenSize),
            "intermediate_size": .integer(intermediateSize),
            "num_hidden_layers": .integer(layerCount),
            "num_attention_heads": .integer(headCount),
            "num_key_value_heads": .integer(keyValueHeadCount),
            "head_dim": .integer(headDimension),
            "rms_norm_eps": .double(normEpsilon),
            "rope_theta": .double(ropeTheta),
            "max_position_embeddings": .integer(contextLength),
            "vocab_size": .integer(vocabularySize),
            "tie_word_embeddings": .bool(tiesWordEmbeddings),
            "attention_dropout": .double(0),
            "torch_dtype": .string(dtype),
            "use_cache": true,
        ]
        for (key, source) in GGUFConfig.tokenIDs {
            json[key] = try tokenID(source).map(JSONValue.integer) ?? .null
        }
        if let scaling = try ropeScaling() { json["rope_scaling"] = .object(scaling) }
        try addFamilyFields(to: &json)
        return json
    }

    /// The ids that a configuration repeats from the tokenizer.
    static let tokenIDs: [(Name, Name)] = [
        ("bos_token_id", "tokenizer.ggml.bos_token_id"),
        ("eos_token_id", "tokenizer.ggml.eos_token_id"),
        ("pad_token_id", "tokenizer.ggml.padding_token_id"),
    ]

    /// Returns the id that a key of the tokenizer gives, or nil if the key is absent.
    func tokenID(_ key: Name) throws(CheckpointError) -> Int? {
        guard let number = try file.integer(key) else { return nil }
        guard let id = Int(exactly: number), id < vocabularySize else {
            throw CheckpointError(
                .configRange,
                "the id is not in the vocabulary",
                file: file.source.fileName,
                key: key.text,
                offset: file.entry(key).map { UInt64($0.valueOffset) },
                expected: "below \(vocabularySize)",
                found: "\(number)"
            )
        }
        return id
    }

    private func addFamilyFields(to json: inout JSONObject) throws(CheckpointError) {
        let keys = GGUFConfigKeys(file: file, prefix: architecture.rawValue)
        switch architecture {
        case .llama:
            json["attention_bias"] = .bool(tensor("blk.0.attn_q.bias") != nil)
            json["mlp_bias"] = .bool(tensor("blk.0.ffn_up.bias") != nil)
        case .qwen2:
            json["use_sliding_window"] = false
        case .qwen3:
            json["attention_bias"] = .bool(tensor("blk.0.attn_q.bias") != nil)
            json["use_sliding_window"] = false
        case .phi3:
            let window = try keys.optionalCount("attention.sliding_window", in: 0...1 << 31) ?? 0
            json["sliding_window"] = window > 0 ? .integer(window) : .null
            json["partial_rotary_factor"] = .double(Double(rotaryDimension) / Double(headDimension))
            let original = try keys.optionalCount(
                "rope.scaling.original_context_length",
                in: 1...1 << 31
            )
            json["original_max_position_embeddings"] = .integer(original ?? contextLength)
        case .gemma2:
            json["hidden_act"] = "gelu_pytorch_tanh"
            json["hidden_activation"] = "gelu_pytorch_tanh"
            json["attention_bias"] = false
            json["sliding_window"] = .integer(
                try keys.count("attention.sliding_window", in: 1...1 << 31)
            )
            json["attn_logit_softcapping"] = .double(try keys.positive("attn_logit_softcapping"))
            json["final_logit_softcapping"] = .double(try keys.positive("final_logit_softcapping"))
            json["query_pre_attn_scalar"] = .integer(try queryScalar(keys))
        }
    }

    /// The number whose square root divides Gemma 2's scores.
    ///
    /// Files do not state it: the released models of 26 and 42 layers have the head's length, the
    /// one of 46 the hidden size per head.
    private func queryScalar(_ keys: GGUFConfigKeys) throws(CheckpointError) -> Int {
        switch layerCount {
        case 26, 42: return headDimension
        case 46: return hiddenSize / headCount
        default:
            throw keys.error(
                .configUnsupported,
                "block_count",
                "GGUF files do not state how this size of Gemma 2 scales its attention",
                expected: "26, 42 or 46",
                found: "\(layerCount)"
            )
        }
    }
}
