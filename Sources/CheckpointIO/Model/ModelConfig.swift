/// A validated `config.json` of a known architecture, and the tensors it implies.
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
    public let modules: [ModelModule]
    private let positions: [Name: Int]

    /// The module of a weight or a bias, for example of `model.layers.0.mlp.up_proj.weight`.
    public func module(owning tensor: Name) -> ModelModule? {
        nil
    }

    /// The shape that the configuration implies for a tensor of a float checkpoint.
    public func expectedShape(of tensor: Name) -> [Int]? {
        nil
    }
}
