internal import Files

/// What a tensor of a GGUF file is for Hugging Face.
struct GGUFTensorRole: Hashable {
    /// The name in Hugging Face's checkpoints.
    let name: Name
    /// The heads whose halves are interleaved in the file.
    let heads: Heads?
    /// Whether the file has the values plus 1.
    let isOffset: Bool
    /// The block it belongs to.
    let layer: Int?

    /// The projections that consist of heads.
    enum Heads: Hashable {
        case query
        case key
    }
}

/// What one name in a GGUF file stands for.
enum GGUFTensorMeaning: Hashable {
    /// A tensor of the model.
    case weight(GGUFTensorRole)
    /// Factors of the rotary embedding, which belong to the configuration.
    case ropeFactors
    /// Nothing known.
    case unknown
}

extension GGUFArchitecture {
    /// Returns what a name stands for.
    func meaning(of name: Name) -> GGUFTensorMeaning {
        let parts = name.text.split(separator: ".", omittingEmptySubsequences: false)
        if parts.first == "blk" { return meaning(ofBlockTensor: parts) }
        switch name.text {
        case "token_embd.weight": return weight("model.embed_tokens.weight")
        case "output.weight": return weight("lm_head.weight")
        case "output_norm.weight": return weight("model.norm.weight", isOffset: offsetsNorms)
        case "rope_freqs.weight" where self == .llama: return .ropeFactors
        case "rope_factors_long.weight" where self == .phi3: return .ropeFactors
        case "rope_factors_short.weight" where self == .phi3: return .ropeFactors
        default: return .unknown
        }
    }

    private func meaning(ofBlockTensor parts: [Substring]) -> GGUFTensorMeaning {
        guard parts.count == 4, let layer = Int(parts[1]), layer >= 0, "\(layer)" == parts[1],
            let module = blockModules[parts[2]], ["weight", "bias"].contains(parts[3])
        else { return .unknown }
        var heads: GGUFTensorRole.Heads?
        if interleavesHeads {
            if parts[2] == "attn_q" { heads = .query }
            if parts[2] == "attn_k" { heads = .key }
        }
        return .weight(
            GGUFTensorRole(
                name: Name("model.layers.\(layer).\(module).\(parts[3])"),
                heads: heads,
                isOffset: offsetsNorms && parts[2].hasSuffix("_norm"),
                layer: layer
            )
        )
    }

    private func weight(_ name: Name, isOffset: Bool = false) -> GGUFTensorMeaning {
        .weight(GGUFTensorRole(name: name, heads: nil, isOffset: isOffset, layer: nil))
    }
}
