internal import Containers
internal import Files
internal import Tensors

/// What the matrices of a model do whose architecture is not known: a guess by their names.
struct GuessedModules: Sendable {
    /// Whether linear layers under GPT-2's names are stored transposed, as its `Conv1D` is.
    private let hasConvolutions: Bool

    /// The values of `model_type` whose classes in transformers 5.23 use `Conv1D`.
    private static let convolutionTypes = [
        "gpt2", "openai-gpt", "imagegpt", "decision_transformer", "clvp", "clvp_decoder",
    ]
    private static let convolutionNames: Set<Substring> = ["c_attn", "q_attn", "c_proj", "c_fc"]
    private static let headNames: Set<Substring> = [
        "lm_head", "embed_out", "output_projection", "score", "qa_outputs",
    ]

    /// Output heads that are tied to an embedding, and then not stored.
    static let tiedHeads: [Name] = [
        "lm_head", "predictions.decoder", "generator_lm_head", "vocab_projector", "embed_out",
        "output_projection",
    ]

    init(configuration: JSONObject?, tensors: [TensorView]) {
        if case .string(let type)? = configuration?["model_type"],
            Self.convolutionTypes.contains(type)
        {
            hasConvolutions = true
            return
        }
        // Queries, keys and values side by side: three times as many outputs as inputs.
        hasConvolutions = tensors.contains { tensor in
            let shape = tensor.description.shape
            return tensor.description.name.hasSuffix("c_attn.weight") && shape.count == 2
                && shape[1] == 3 * shape[0]
        }
    }

    /// Returns what a tensor is the weight of; nil unless it is a matrix of that name.
    ///
    /// Every matrix counts as linear, except where the name says that it is a table, the output
    /// head, or a router, which the loaders of transformers leave alone.
    func kind(of tensor: TensorDescription) -> ModelModule.Kind? {
        guard tensor.shape.count == 2, tensor.name.hasSuffix(".weight"), !tensor.shape.contains(0)
        else { return nil }
        let components = tensor.name.text.dropLast(".weight".count).lowercased()
            .split(separator: ".")
        guard let last = components.last else { return .linear }
        let isHead = components.contains {
            Self.headNames.contains($0) || $0.hasPrefix("classifier")
        }
        if isHead || Self.tiedHeads.contains(where: { tensor.name.hasSuffix($0.text + ".weight") })
        {
            return .outputHead
        }
        if last == "gate" || components.contains("router") { return .router }
        let isTable = components.contains { component in
            component.contains("embed") || ["wte", "wpe"].contains(component)
        }
        if isTable || ["shared", "relative_attention_bias"].contains(last) { return .embedding }
        // T5 keeps the last layer of its feed-forward blocks in full precision.
        if last == "wo" { return .keptLinear }
        if last.contains("norm") { return .norm }
        let isConvolution = hasConvolutions && Self.convolutionNames.contains(last)
        return isConvolution ? .convolution1D : .linear
    }
}
