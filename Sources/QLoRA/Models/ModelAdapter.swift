internal import CheckpointIO
internal import Models
internal import Tensors

/// Everything that an adapter's file has for a model, read.
struct ModelAdapter: Sendable {
    /// Nil for factors that were brought along without one.
    let config: LoRAConfig?
    /// Factors by the names of their modules; of an embedding, too.
    var factors: [String: LoRAAdapter]
    /// Tensors in place of the base's, by their names there.
    let replacements: [String: Matrix]
    /// Rows in place of those of embeddings and heads, by the names of their modules.
    let tokenRows: [String: TokenRows]
    /// The layers of the stack that it makes; nil leaves it as it is.
    let layerOrder: [Int]?

    /// Rows of a table, and their places in it.
    struct TokenRows: Sendable {
        let tokens: [Int]
        let rows: Matrix
    }

    init(
        _ folder: AdapterFolder,
        for model: LanguageModel,
        weight: Double
    ) throws(CheckpointError) {
        config = folder.config
        layerOrder = try folder.config.layerOrder(of: model.layers.count)
        let tree = ModuleTree(model, layerOrder: layerOrder)
        let bound = try folder.bound(to: tree)
        try Self.check(weight, bound)
        var factors: [String: LoRAAdapter] = [:]
        for layer in bound.layers {
            factors[layer.target.module.name] = try layer.adapter(weight: weight)
        }
        var replacements: [String: Matrix] = [:]
        for replacement in bound.replacements {
            replacements[replacement.tensor.text] = try replacement.matrix()
        }
        // A base that the file carries along counts, where it is another one.
        for carried in bound.carriedWeights {
            let matrix = try carried.matrix()
            let isHead = carried.tensor.text.hasPrefix("lm_head")
            let own =
                isHead ? (model.head as? Linear)?.weight : (model.embedding as? Embedding)?.weight
            if own?.dequantized() != matrix { replacements[carried.tensor.text] = matrix }
        }
        var tokenRows: [String: TokenRows] = [:]
        for rows in bound.tokenRows {
            tokenRows[rows.module] = TokenRows(tokens: rows.rows, rows: try rows.matrix())
        }
        self.factors = factors
        self.replacements = replacements
        self.tokenRows = Self.withTiedRows(tokenRows, tree)
    }

    /// Rows of an embedding are those of the head that is tied to it, unless the adapter tells them apart.
    private static func withTiedRows(
        _ rows: [String: TokenRows],
        _ tree: ModuleTree
    ) -> [String: TokenRows] {
        guard tree.tiesHead, let embedding = tree.inputEmbedding, let head = tree.outputHead,
            rows[head] == nil
        else { return rows }
        var rows = rows
        rows[head] = rows[embedding]
        return rows
    }

    /// Puts together what a new adapter begins with.
    init(
        _ config: LoRAConfig,
        factors: [String: LoRAAdapter],
        replacements: [String: Matrix],
        tokenRows: [String: TokenRows],
        layerOrder: [Int]?,
        in tree: ModuleTree
    ) {
        self.config = config
        self.factors = factors
        self.replacements = replacements
        self.tokenRows = Self.withTiedRows(tokenRows, tree)
        self.layerOrder = layerOrder
    }

    /// Takes plain factors by the names of their modules.
    init(_ factors: [String: LoRAAdapter]) {
        config = nil
        self.factors = factors
        replacements = [:]
        tokenRows = [:]
        layerOrder = nil
    }

    private static func check(_ weight: Double, _ bound: BoundAdapter) throws(CheckpointError) {
        guard weight != 1 else { return }
        let replaces = !bound.replacements.isEmpty || !bound.tokenRows.isEmpty
        guard replaces || bound.config.usesDoRA else { return }
        throw CheckpointError(
            .adapterUnsupported,
            replaces
                ? "an adapter that replaces tensors has no part of its effect"
                : "an adapter with magnitudes has no part of its effect",
            file: AdapterFileName.config
        )
    }

    /// What it has in place of the base's, so that another adapter cannot.
    var replacedTensors: [String] {
        replacements.keys.sorted() + tokenRows.keys.sorted().map { "rows of \($0)" }
    }

    /// Throws if it cannot stand beside others in a batch.
    func checkMixes() throws(CheckpointError) {
        if layerOrder != nil {
            throw CheckpointError(
                .adapterUnsupported,
                "an adapter that stacks layers anew cannot share a batch",
                key: "layer_replication"
            )
        }
        if let norm = replacements.keys.sorted().first(where: { $0.contains("norm") }) {
            throw CheckpointError(
                .adapterUnsupported,
                "an adapter with norms of its own cannot share a batch",
                key: norm
            )
        }
    }
}

extension BoundAdapter.Replacement {
    /// Reads the tensor; a vector is a matrix of one row.
    fileprivate func matrix() throws(CheckpointError) -> Matrix {
        let shape = view.description.shape
        return Matrix(
            rowCount: shape.count > 1 ? shape[0] : 1,
            columnCount: shape.count > 1 ? shape[1...].reduce(1, *) : shape.first ?? 1,
            elements: try view.finiteFloats()
        )
    }
}

extension ModuleTree {
    /// The modules of a model with its layers in another order, nil for their own; its embedding may have
    /// grown.
    init(_ model: LanguageModel, layerOrder: [Int]?) {
        self.init(
            model.config,
            layerOrder: layerOrder,
            tokenCount: model.embedding.rowCount
        )
    }
}

extension LanguageModel {
    /// The model with its layers in another order, nil for their own.
    func stacked(_ order: [Int]?) -> LanguageModel {
        guard let order else { return self }
        var model = self
        model.layers = order.map { layers[$0] }
        return model
    }
}
