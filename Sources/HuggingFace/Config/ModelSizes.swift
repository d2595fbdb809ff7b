internal import Files

/// The numbers of `config.json` that shapes follow from, each within its range.
struct ModelSizes {
    let hidden: Int
    let intermediate: Int
    let layers: Int
    let heads: Int
    let keyValueHeads: Int
    let headDimension: Int
    let vocabulary: Int
    let context: Int?

    private static let channels = 1...1 << 22
    private static let layerCounts = 0...4096
    private static let headCounts = 1...65536
    private static let vocabularies = 1...1 << 24
    private static let contexts = 1...1 << 31

    init(_ json: JSONObject, _ architecture: Architecture) throws(CheckpointError) {
        let reader = ConfigReader(json: json)
        if architecture == .gpt2 {
            hidden = try reader.integer("n_embd", in: ModelSizes.channels)
            intermediate =
                try reader.optionalInteger("n_inner", in: ModelSizes.channels) ?? 4 * hidden
            layers = try reader.integer("n_layer", in: ModelSizes.layerCounts)
            heads = try reader.integer("n_head", in: ModelSizes.headCounts)
            keyValueHeads = heads
            context = try reader.integer("n_positions", in: ModelSizes.contexts)
            guard hidden % heads == 0 else {
                throw ModelSizes.indivisible("n_head", heads, "n_embd", hidden, reader)
            }
            headDimension = hidden / heads
            try reader.checkPositive("layer_norm_epsilon")
        } else {
            hidden = try reader.integer("hidden_size", in: ModelSizes.channels)
            intermediate = try reader.integer("intermediate_size", in: ModelSizes.channels)
            layers = try reader.integer("num_hidden_layers", in: ModelSizes.layerCounts)
            heads = try reader.integer("num_attention_heads", in: ModelSizes.headCounts)
            keyValueHeads =
                try reader.optionalInteger("num_key_value_heads", in: ModelSizes.headCounts)
                ?? architecture.defaultKeyValueHeadCount ?? heads
            guard heads % keyValueHeads == 0 else {
                throw ModelSizes.indivisible(
                    "num_key_value_heads",
                    keyValueHeads,
                    "num_attention_heads",
                    heads,
                    reader
                )
            }
            context = try reader.optionalInteger(
                "max_position_embeddings",
                in: ModelSizes.contexts
            )
            if let dimension = try reader.optionalInteger("head_dim", in: ModelSizes.headCounts)
                ?? architecture.defaultHeadDimension
            {
                headDimension = dimension
            } else {
                guard hidden % heads == 0 else {
                    throw ModelSizes.indivisible(
                        "num_attention_heads",
                        heads,
                        "hidden_size",
                        hidden,
                        reader
                    )
                }
                headDimension = hidden / heads
            }
            try reader.checkPositive("rms_norm_eps", "rope_theta")
        }
        vocabulary = try reader.integer("vocab_size", in: ModelSizes.vocabularies)
    }

    private static func indivisible(
        _ key: Name,
        _ value: Int,
        _ whole: String,
        _ wholeValue: Int,
        _ reader: ConfigReader
    ) -> CheckpointError {
        reader.rangeError(
            key,
            expected: "a divisor of \(whole), which is \(wholeValue)",
            found: "\(value)"
        )
    }
}
