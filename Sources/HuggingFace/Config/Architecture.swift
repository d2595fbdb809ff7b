internal import Files

/// The model families whose tensors are known, by their class in transformers.
public enum Architecture: String, Sendable, CaseIterable {
    case llama = "LlamaForCausalLM"
    case mistral = "MistralForCausalLM"
    case qwen2 = "Qwen2ForCausalLM"
    case qwen3 = "Qwen3ForCausalLM"
    case phi3 = "Phi3ForCausalLM"
    case gemma = "GemmaForCausalLM"
    case gemma2 = "Gemma2ForCausalLM"
    case gpt2 = "GPT2LMHeadModel"

    /// The family's `model_type` in `config.json`.
    public var modelType: String {
        switch self {
        case .llama: "llama"
        case .mistral: "mistral"
        case .qwen2: "qwen2"
        case .qwen3: "qwen3"
        case .phi3: "phi3"
        case .gemma: "gemma"
        case .gemma2: "gemma2"
        case .gpt2: "gpt2"
        }
    }

    /// The value of `tie_word_embeddings` where `config.json` does not say.
    var tiesWordEmbeddingsByDefault: Bool {
        switch self {
        case .gemma, .gemma2, .gpt2: true
        case .llama, .mistral, .qwen2, .qwen3, .phi3: false
        }
    }

    /// The class's default of `num_key_value_heads`; nil means as many as query heads.
    var defaultKeyValueHeadCount: Int? {
        switch self {
        case .llama, .phi3, .gpt2: nil
        case .mistral: 8
        case .qwen2, .qwen3: 32
        case .gemma: 16
        case .gemma2: 4
        }
    }

    /// The class's default of `head_dim`; nil means that the heads share the hidden size.
    var defaultHeadDimension: Int? {
        switch self {
        case .gemma, .gemma2: 256
        case .qwen3: 128
        case .llama, .mistral, .qwen2, .phi3, .gpt2: nil
        }
    }

    /// Reads the family out of `config.json`.
    /// - Throws: `config.unsupported` with the name of a family that is not known; `config.contradiction` if
    ///   `model_type` is another one's.
    init(configuration: JSONObject) throws(CheckpointError) {
        if let names = try configuration.optionalStrings("architectures"), let name = names.first {
            guard names.count == 1, let architecture = Architecture(rawValue: name) else {
                throw Architecture.unsupported(
                    names.joined(separator: ", "),
                    configuration,
                    key: "architectures"
                )
            }
            self = architecture
            try checkModelType(configuration)
            return
        }
        let modelType = try configuration.string("model_type")
        guard let match = Architecture.allCases.first(where: { $0.modelType == modelType }) else {
            throw Architecture.unsupported(modelType, configuration, key: "model_type")
        }
        self = match
    }

    /// Programs choose the family by one or the other.
    private func checkModelType(_ configuration: JSONObject) throws(CheckpointError) {
        let type = try configuration.optionalString("model_type")
        guard let type, type != modelType else { return }
        throw CheckpointError(
            .configContradiction,
            "the model is a \(rawValue) and has another one's type",
            key: "model_type",
            offset: configuration.member("model_type")?.valueOffset,
            expected: modelType,
            found: type
        )
    }

    private static func unsupported(
        _ name: String,
        _ configuration: JSONObject,
        key: Name
    ) -> CheckpointError {
        CheckpointError(
            .configUnsupported,
            "the architecture \(Name.printable(name)) is not known",
            key: key.text,
            offset: configuration.member(key)?.valueOffset,
            hint: "tensors can be handled without knowing the model if any architecture is allowed"
        )
    }
}
