internal import CheckpointIO
internal import Models
internal import Tensors

/// Makes adapters that a model does not have yet: what training begins with.
struct NewAdapter {
    private let config: LoRAConfig
    private let layerOrder: [Int]?
    private let embedding: Embedding
    private let tree: ModuleTree
    private let selection: ModuleSelection
    private var layers: [String: Linear] = [:]
    private var norms: [String: RMSNorm] = [:]

    /// Selects.
    /// - Throws: what `ModuleSelection` throws; `adapter.range` for layers that the model has not.
    init(_ config: LoRAConfig, for base: LanguageModel) throws(CheckpointError) {
        self.config = config
        layerOrder = try config.layerOrder(of: base.layers.count)
        tree = ModuleTree(base, layerOrder: layerOrder)
        selection = try ModuleSelection(config, in: tree)
        guard let embedding = base.embedding as? Embedding else {
            preconditionFailure("the base has an adapter on its embedding")
        }
        self.embedding = embedding
        var model = base.stacked(layerOrder)
        var (layers, norms) = ([String: Linear](), [String: RMSNorm]())
        model.mapLinearLayers { name, layer in
            layers[name] = layer as? Linear
            return layer
        }
        model.mapNorms { name, norm in
            norms[name] = norm
            return norm
        }
        (self.layers, self.norms) = (layers, norms)
    }

    /// Makes the adapter.
    /// - Parameters:
    ///   - initializer: makes the factors of linear layers; those of an embedding are random.
    ///   - seed: for what is random.
    /// - Returns: an adapter that changes nothing as yet, unless its initialisation does.
    /// - Throws: `adapter.unsupported` for an initialisation that changes the base, or that an embedding
    ///   cannot have; what the initializer throws; `limit.memory`.
    func made(
        by initializer: any AdapterInitializer,
        seed: UInt64
    ) throws(CheckpointError) -> ModelAdapter {
        var workspace = try LayerWorkspace()
        var factors = try initializer.adapters(
            for: selection.targets,
            config,
            seed: seed,
            workspace: &workspace
        ) { layers[$0] }
        for target in selection.targets where target.module.kind == .embedding {
            let name = target.module.name
            let table = try embeddingFactors(target, initializer, seed: seed, &workspace)
            factors[name] = table
            // A head that stays tied has the same ones, exchanged.
            if config.ensuresWeightTying, tree.tiesHead, let head = tree.outputHead {
                factors[head] = LoRAAdapter(
                    a: table.b.transposed(),
                    b: table.a.transposed(),
                    scaling: table.scaling
                )
            }
        }
        var replacements: [String: Matrix] = [:]
        for replaced in selection.replacedTensors(config, tree) {
            replacements[replaced.tensor] = tensor(replaced.tensor)
        }
        var tokenRows: [String: ModelAdapter.TokenRows] = [:]
        for (module, rows) in try ModuleSelection.tokenRows(config, tree) {
            guard let table = tensor(module.name + ".weight") else { continue }
            var own = Matrix(rowCount: rows.count, columnCount: table.columnCount)
            for (place, row) in rows.enumerated() {
                for column in 0..<table.columnCount { own[place, column] = table[row, column] }
            }
            tokenRows[module.name] = ModelAdapter.TokenRows(tokens: rows, rows: own)
        }
        return ModelAdapter(
            config,
            factors: factors,
            replacements: replacements,
            tokenRows: tokenRows,
            layerOrder: layerOrder,
            in: tree
        )
    }

    /// `A` zero and `B` normal, so that the other factor is the one that is zero; or both normal.
    private func embeddingFactors(
        _ target: ModuleSelection.Target,
        _ initializer: any AdapterInitializer,
        seed: UInt64,
        _ workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> LoRAAdapter {
        guard let kind = (initializer as? RandomInitializer)?.kind, kind != .orthogonal else {
            throw CheckpointError(
                .adapterUnsupported,
                "\(target.module.name), an embedding, has no such initialisation",
                key: "init_lora_weights"
            )
        }
        var generator = SplitMix64(seed: seed ^ 0xE3BE_D01A)
        let b = generator.normal(embedding.width, target.rank, deviation: 1)
        var adapter = LoRAAdapter(
            a: kind == .random
                ? generator.normal(target.rank, embedding.rowCount, deviation: 1)
                : Matrix(rowCount: target.rank, columnCount: embedding.rowCount),
            b: b,
            scaling: target.scaling
        )
        if config.usesDoRA {
            let columns = LoRAEmbedding(embedding).columns
            try adapter.resetMagnitude(on: columns, workspace: &workspace)
        }
        return adapter
    }

    /// A tensor of the base; a vector is a matrix of one row.
    private func tensor(_ name: String) -> Matrix? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        let (module, part) = (String(name[..<dot]), name[dot...])
        if part == ".bias" { return layers[module]?.bias.map(Matrix.init(row:)) }
        if module == tree.inputEmbedding { return embedding.weight.dequantized() }
        return norms[module].map { Matrix(row: $0.weight) }
            ?? layers[module]?.weight.dequantized()
    }
}

extension Matrix {
    fileprivate init(row: [Float]) {
        self.init(rowCount: 1, columnCount: row.count, elements: row)
    }
}
