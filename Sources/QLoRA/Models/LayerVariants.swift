internal import CheckpointIO
internal import Machine
internal import Models
internal import Quant
internal import Tensors

/// The layers of a model as adapters want them.
struct LayerVariants {
    private let adapters: [(name: String, adapter: ModelAdapter)]
    private let embedding: Embedding
    private let embeddingName: String
    private var layers: [String: Linear] = [:]
    /// For the factors as products read them, in 2 bytes a number.
    private let arena: MemoryArena

    /// Takes the layers of a model.
    /// - Parameters:
    ///   - model: without adapters, its layers in the order of the adapters' stack.
    ///   - adapters: with their names.
    init(
        _ model: LanguageModel,
        _ adapters: [(name: String, adapter: ModelAdapter)]
    ) {
        self.adapters = adapters
        let factorCount = adapters.reduce(0) { sum, named in
            named.adapter.factors.values.reduce(sum) {
                $0 + $1.a.elements.count + $1.b.elements.count
            }
        }
        arena = MemoryArena(expecting: 2 * factorCount)
        guard let embedding = model.embedding as? Embedding else {
            preconditionFailure("the base has an adapter on its embedding")
        }
        self.embedding = embedding
        embeddingName = model.embeddingName
        var layers: [String: Linear] = [:]
        var model = model
        model.mapLinearLayers { name, layer in
            guard let linear = layer as? Linear else {
                preconditionFailure("the base has an adapter on \(name)")
            }
            layers[name] = linear
            return layer
        }
        self.layers = layers
    }

    private func own(_ names: [String]) -> [(name: String, adapter: ModelAdapter)] {
        adapters.filter { names.contains($0.name) }
    }

    // MARK: Linear layers

    /// A layer with what some adapters put in place of its weight and bias.
    private func replaced(_ module: String, _ names: [String]) -> Linear {
        guard let layer = layers[module] else { preconditionFailure("no layer \(module)") }
        let own = own(names).map(\.adapter)
        let weight = own.lazy.compactMap { $0.replacements[module + ".weight"] }.first
        let bias = own.lazy.compactMap { $0.replacements[module + ".bias"] }.first
        guard weight != nil || bias != nil else { return layer }
        return Linear(
            weight.map { DenseWeight($0) } ?? layer.weight,
            bias: bias?.elements ?? layer.bias
        )
    }

    /// A layer with factors of some adapters around it, all of them active.
    private func adapted(_ module: String, _ names: [String]) -> LoRALinear {
        var layer = LoRALinear(replaced(module, names))
        for (name, adapter) in own(names) {
            guard let factors = adapter.factors[module] else { continue }
            layer.setAdapter(name, to: factors)
        }
        layer.activate(names)
        return layer
    }

    /// The rows that one of some adapters has in place of those of a table.
    private func rows(_ module: String, _ names: [String]) -> ModelAdapter.TokenRows? {
        own(names).lazy.compactMap { $0.adapter.tokenRows[module] }.first
    }

    /// A layer with adapters.
    func linear(_ module: String, _ names: [String]) throws(CheckpointError) -> any LinearLayer {
        let layer = adapted(module, names)
        let inner: any LinearLayer =
            layer.activeNames.isEmpty ? layer.base : try AdaptedLinear(layer, in: arena)
        return rows(module, names).map { HeadWithRows(base: inner, rows: $0) } ?? inner
    }

    /// A norm, or what an adapter has in its place.
    func norm(_ module: String, _ norm: RMSNorm, _ names: [String]) -> RMSNorm {
        let weight = own(names).lazy.compactMap { $0.adapter.replacements[module + ".weight"] }
            .first
        return weight.map { RMSNorm(weight: $0.elements, epsilon: norm.epsilon) } ?? norm
    }

    /// A layer for a batch in which each sample has an adapter of its own.
    func mixed(_ module: String, _ samples: [String?]) throws(CheckpointError) -> any LinearLayer {
        var shared = LoRALinear(replaced(module, []))
        var separate: [String: any LinearLayer] = [:]
        for (name, adapter) in adapters {
            let replaces =
                adapter.replacements[module + ".weight"] != nil
                || adapter.replacements[module + ".bias"] != nil
                || adapter.tokenRows[module] != nil
            if replaces {
                separate[name] = try linear(module, [name])
            } else if let factors = adapter.factors[module] {
                shared.setAdapter(name, to: factors)
            }
        }
        if separate.isEmpty, shared.adapters.isEmpty { return shared.base }
        return try MixedLinear(
            shared: shared,
            separate: separate,
            adapterOfSample: samples,
            in: arena
        )
    }

    /// A layer with adapters in its weight, in the form of that before.
    func merged(
        _ module: String,
        _ layer: any LinearLayer,
        _ names: [String],
        _ workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> any LinearLayer {
        let adapted = adapted(module, names)
        let rows = rows(module, names)
        guard !adapted.activeNames.isEmpty || rows != nil else { return adapted.base }
        let hasBias = adapted.activeNames.contains { adapted.adapters[$0]?.bias != nil }
        guard !hasBias || adapted.base.bias != nil else {
            throw CheckpointError(
                .adapterUnsupported,
                "\(module) has no bias to add to",
                key: "lora_bias"
            )
        }
        var (weight, bias) = try adapted.merged(workspace: &workspace)
        if let rows { weight.replaceRows(rows) }
        return Linear(try AdaptedLayers.stored(weight, like: adapted.base.weight), bias: bias)
    }

    // MARK: The embedding

    private func table(_ names: [String]) -> Embedding {
        let tensor = embeddingName + ".weight"
        let weight = own(names).lazy.compactMap { $0.adapter.replacements[tensor] }.first
        return weight.map { Embedding(DenseWeight($0), scale: embedding.scale) } ?? embedding
    }

    /// The embedding with adapters.
    func embedding(_ names: [String]) throws(CheckpointError) -> any EmbeddingLayer {
        var layer = LoRAEmbedding(table(names))
        for (name, adapter) in own(names) {
            guard let factors = adapter.factors[embeddingName] else { continue }
            layer.setAdapter(name, to: factors)
        }
        layer.activate(names)
        let rows = rows(embeddingName, names)
        guard !layer.activeNames.isEmpty || rows != nil else { return layer.base }
        return AdaptedEmbedding(layer: layer, rows: rows)
    }

    /// The embedding for a batch in which each sample has an adapter of its own.
    func mixedEmbedding(_ samples: [String?]) throws(CheckpointError) -> any EmbeddingLayer {
        var separate: [String: any EmbeddingLayer] = [:]
        for (name, _) in adapters {
            let own = try embedding([name])
            if (own as? Embedding) !== embedding { separate[name] = own }
        }
        guard !separate.isEmpty else { return embedding }
        return MixedEmbedding(base: embedding, separate: separate, adapterOfSample: samples)
    }

    /// The embedding with adapters in its table.
    func mergedEmbedding(
        _ names: [String],
        _ workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> any EmbeddingLayer {
        guard let adapted = try embedding(names) as? AdaptedEmbedding else { return table(names) }
        let base = adapted.layer.base
        var unscaled = adapted.layer
        if base.scale != 1 {
            unscaled = LoRAEmbedding(Embedding(base.weight))
            for name in adapted.layer.activeNames {
                adapted.layer.adapters[name].map { unscaled.setAdapter(name, to: $0) }
            }
            unscaled.activate(adapted.layer.activeNames)
        }
        var table = try unscaled.forward(Array(0..<base.rowCount), workspace: &workspace).y
        if let rows = adapted.rows { table.replaceRows(rows) }
        return Embedding(DenseWeight(table, as: base.weight.dtype), scale: base.scale)
    }
}

extension Matrix {
    /// Puts rows in their places, in the order of the list.
    fileprivate mutating func replaceRows(_ rows: ModelAdapter.TokenRows) {
        for (index, token) in rows.tokens.enumerated() {
            for column in 0..<columnCount { self[token, column] = rows.rows[index, column] }
        }
    }
}
