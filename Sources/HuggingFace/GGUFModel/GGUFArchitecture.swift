internal import Containers
internal import Files

/// The model families whose GGUF files are understood: names, row orders and configuration.
///
/// The raw value is what `general.architecture` says, and the prefix of the family's keys. Mistral
/// models come as `llama`.
enum GGUFArchitecture: String, CaseIterable {
    case llama
    case qwen2
    case qwen3
    case phi3
    case gemma2

    /// Reads `general.architecture`.
    /// - Throws: `gguf.missingKey`, or `config.unsupported` with the name.
    init(of file: GGUFFile) throws(CheckpointError) {
        let key: Name = "general.architecture"
        guard let name = try file.string(key) else { throw file.missingKey(key) }
        guard let architecture = GGUFArchitecture(rawValue: name) else {
            throw CheckpointError(
                .configUnsupported,
                name == "gpt2"
                    ? "GGUF files store gpt2's matrices transposed, which is not undone here"
                    : "GGUF files of this architecture are not read",
                file: file.source.fileName,
                key: key.text,
                offset: file.entry(key).map { UInt64($0.valueOffset) },
                expected: GGUFArchitecture.allCases.map(\.rawValue).joined(separator: ", "),
                found: name
            )
        }
        self = architecture
    }

    /// The class that transformers loads the model with.
    var modelClass: String {
        switch self {
        case .llama: "LlamaForCausalLM"
        case .qwen2: "Qwen2ForCausalLM"
        case .qwen3: "Qwen3ForCausalLM"
        case .phi3: "Phi3ForCausalLM"
        case .gemma2: "Gemma2ForCausalLM"
        }
    }

    /// Whether writers of GGUF interleave the halves of each query and key head.
    var interleavesHeads: Bool { self == .llama }

    /// Whether writers of GGUF add 1 to the weights of norms.
    var offsetsNorms: Bool { self == .gemma2 }

    /// Hugging Face's module for each module of a block, below `model.layers.N`.
    var blockModules: [Substring: String] {
        let attention: [Substring: String] = [
            "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
            "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
            "attn_norm": "input_layernorm", "ffn_down": "mlp.down_proj",
        ]
        let specific: [Substring: String] =
            switch self {
            case .llama, .qwen2:
                [
                    "ffn_norm": "post_attention_layernorm",
                    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
                ]
            case .qwen3:
                [
                    "ffn_norm": "post_attention_layernorm",
                    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
                    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
                ]
            case .phi3:
                [
                    "ffn_norm": "post_attention_layernorm",
                    "attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj",
                ]
            case .gemma2:
                [
                    "post_attention_norm": "post_attention_layernorm",
                    "ffn_norm": "pre_feedforward_layernorm",
                    "post_ffw_norm": "post_feedforward_layernorm",
                    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
                ]
            }
        return attention.merging(specific) { _, new in new }
    }

    /// The modules of a block without which there is no model.
    var requiredBlockModules: [String] {
        let names = blockModules.keys.map(String.init).sorted()
        // Fused projections take the place of three.
        return self == .phi3
            ? names.filter { !["attn_q", "attn_k", "attn_v"].contains($0) } : names
    }
}

extension GGUFFile {
    /// Returns the error of a key that must be there.
    func missingKey(_ key: Name) -> CheckpointError {
        CheckpointError(
            .ggufMissingKey,
            "a key that every model needs is missing",
            file: source.fileName,
            key: key.text
        )
    }
}
