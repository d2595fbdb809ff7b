public import CheckpointIO
public import Models
internal import Quant
internal import Tensors

/// A model and the adapters that were loaded for it.
///
/// The model itself never changes: `model()` returns one with active adapters around its layers, and
/// `merged()` one with adapters in its weights. To unmerge, unload or disable is to use `base` again.
public struct AdaptedModel: Sendable {
    /// The model without adapters.
    public let base: LanguageModel
    /// The names of all adapters in the order in which they were loaded.
    public private(set) var adapterNames: [String] = []
    /// The names of those that apply, in their order.
    public private(set) var activeNames: [String] = []
    /// The names of those that training changes: a property of the adapter, whatever is active.
    public private(set) var trainableNames: Set<String> = []
    private var adapters: [String: ModelAdapter] = [:]

    /// Takes a model, without adapters as yet.
    public init(_ base: LanguageModel) { self.base = base }

    /// Loads an adapter, which does not become active by that.
    /// - Parameters:
    ///   - folder: the adapter as PEFT saves one.
    ///   - name: what it is called here.
    ///   - weight: a factor of what it changes; only of plain factors if it is not 1.
    ///   - isTrainable: whether training changes it.
    /// - Throws: `adapter.name`; what `AdapterFolder.bound(to:)` throws; `adapter.wrongBase` if it says that
    ///   it belongs to other layers; `adapter.unsupported` for a weight where the adapter replaces tensors;
    ///   `num.nonFinite`.
    public mutating func load(
        _ folder: AdapterFolder,
        as name: String,
        weight: Double = 1,
        isTrainable: Bool = false
    ) throws(CheckpointError) {
        try AdapterNames.checkNew(name, among: adapterNames)
        let adapter = try ModelAdapter(folder, for: base, weight: weight)
        register(name, adapter, isTrainable: isTrainable)
    }

    /// Adds a new adapter, which does not become active by that: what training begins with.
    ///
    /// Modules that are stored whole, biases and rows of tokens begin as copies of the base's.
    /// - Parameters:
    ///   - name: what it is called here.
    ///   - config: what it selects, and its ranks and scalings.
    ///   - initializer: makes the factors; one that changes the base is refused.
    ///   - seed: for what is random.
    ///   - isTrainable: whether training changes it.
    /// - Throws: `adapter.name`; what `ModuleSelection` throws; `adapter.range` for layers that the model has
    ///   not; `adapter.contradiction` for a second adapter with biases of the base; `adapter.unsupported`;
    ///   what the initializer throws.
    public mutating func add(
        _ name: String,
        _ config: LoRAConfig,
        initializer: any AdapterInitializer = RandomInitializer(),
        seed: UInt64 = 0,
        isTrainable: Bool = true
    ) throws(CheckpointError) {
        try AdapterNames.checkNew(name, among: adapterNames)
        if config.bias != .none,
            let other = adapterNames.first(where: { adapters[$0]?.hasBiases == true })
        {
            throw CheckpointError(
                .adapterContradiction,
                "only one adapter has biases of the base, and \(other) does",
                key: "bias",
                found: config.bias.rawValue
            )
        }
        let adapter = try NewAdapter(config, for: base).made(by: initializer, seed: seed)
        register(name, adapter, isTrainable: isTrainable)
    }

    private mutating func register(_ name: String, _ adapter: ModelAdapter, isTrainable: Bool) {
        adapters[name] = adapter
        adapterNames.append(name)
        if isTrainable { trainableNames.insert(name) }
    }

    /// Adds an adapter that was made in memory, which does not become active by that.
    /// - Parameters:
    ///   - factors: by the names of the linear layers, such as `model.layers.0.self_attn.q_proj`.
    ///   - name: what it is called here.
    /// - Throws: `adapter.name`; `adapter.noTarget` for a layer that the model has not.
    /// - Precondition: the sizes are those of the layers.
    public mutating func add(
        _ factors: [String: LoRAAdapter],
        as name: String
    ) throws(CheckpointError) {
        try AdapterNames.checkNew(name, among: adapterNames)
        var unknown = Set(factors.keys)
        var base = base
        base.mapLinearLayers { module, layer in
            unknown.remove(module)
            return layer
        }
        if let module = unknown.min() {
            throw CheckpointError(.adapterNoTarget, "the model has no such layer", key: module)
        }
        register(name, ModelAdapter(factors), isTrainable: false)
    }

    /// The factors of an adapter by the names of their modules; of an embedding `A` is `[r, V]` and `B`
    /// `[D, r]`.
    /// - Throws: `adapter.name`.
    public func factors(of name: String) throws(CheckpointError) -> [String: LoRAAdapter] {
        try AdapterNames.requireKnown([name], among: adapterNames)
        return adapters[name]?.factors ?? [:]
    }

    /// Changes the factors of an adapter in a module, such as by an optimizer's step.
    /// - Throws: `adapter.name`; `adapter.noTarget` if it has none there.
    public mutating func update(
        _ name: String,
        in module: String,
        _ body: (inout LoRAAdapter) -> Void
    ) throws(CheckpointError) {
        try AdapterNames.requireKnown([name], among: adapterNames)
        guard var factors = adapters[name]?.factors[module] else {
            throw CheckpointError(.adapterNoTarget, "\(name) has no factors there", key: module)
        }
        body(&factors)
        adapters[name]?.factors[module] = factors
    }

    /// Returns an adapter to be written.
    /// - Throws: `adapter.name`; `adapter.unsupported` for factors that were added without a configuration.
    public func contents(of name: String) throws(CheckpointError) -> AdapterContents {
        try AdapterNames.requireKnown([name], among: adapterNames)
        guard let contents = try adapters[name]?.contents(for: base) else {
            throw CheckpointError(
                .adapterUnsupported,
                "\(name) was added without a configuration",
                hint: "make its contents with the configuration that belongs to its factors"
            )
        }
        return contents
    }

    /// Forgets an adapter.
    /// - Throws: `adapter.name`.
    public mutating func remove(_ name: String) throws(CheckpointError) {
        try AdapterNames.requireKnown([name], among: adapterNames)
        adapters[name] = nil
        adapterNames.removeAll { $0 == name }
        activeNames.removeAll { $0 == name }
        trainableNames.remove(name)
    }

    /// Makes adapters active, in this order, and no others.
    /// - Throws: `adapter.name` for one that is unknown or stands twice; `adapter.contradiction` if two of
    ///   them replace the same tensor, or stack layers differently.
    public mutating func activate(_ names: [String]) throws(CheckpointError) {
        try AdapterNames.requireKnown(names, among: adapterNames)
        try checkTogether(names)
        activeNames = names
    }

    /// The model with the active adapters.
    /// - Throws: `limit.memory`.
    public func model() throws(CheckpointError) -> LanguageModel {
        let active = named(activeNames)
        var model = stacked(active.map(\.adapter))
        let originals = LayerVariants(model, active)
        try model.mapLinearLayers { (name, _) throws(CheckpointError) in
            try originals.linear(name, activeNames)
        }
        model.mapNorms { name, norm in
            originals.norm(name, norm, activeNames)
        }
        model.embedding = try originals.embedding(activeNames)
        return model
    }

    /// The model for batches in which each sample has an adapter of its own, or none.
    ///
    /// What is active does not matter. Products with the base are computed once for all samples.
    /// - Parameter names: one for each sample, `__base__` for none.
    /// - Returns: a model for batches of so many samples.
    /// - Throws: `adapter.name` for one that is unknown; `adapter.unsupported` if one stacks layers anew,
    ///   or replaces norms.
    public func model(adapterOfSample names: [String]) throws(CheckpointError) -> LanguageModel {
        let samples = names.map { $0 == AdaptedLayers.baseName ? nil : $0 }
        let used = Set(samples.compactMap { $0 }).sorted()
        try AdapterNames.requireKnown(used, among: adapterNames)
        for name in used { try adapters[name]?.checkMixes() }
        var model = base
        let variants = LayerVariants(base, named(used))
        try model.mapLinearLayers { (name, _) throws(CheckpointError) in
            try variants.mixed(name, samples)
        }
        model.embedding = try variants.mixedEmbedding(samples)
        return model
    }

    /// The model with the active adapters in its weights.
    ///
    /// Sums are float32, rounded once to the type of a dense weight; a quantized one is quantized again as
    /// it was. A head that is tied to the embedding is not any more, where they differ now; layers that share
    /// weights have their own then.
    /// - Throws: `adapter.unsupported` where `B` has a bias and the layer none; `adapter.notFinite`;
    ///   `limit.memory`.
    public func merged() throws(CheckpointError) -> LanguageModel {
        let active = named(activeNames)
        var model = try self.model()
        var workspace = try LayerWorkspace()
        let variants = LayerVariants(stacked(active.map(\.adapter)), active)
        try model.mapLinearLayers { (name, layer) throws(CheckpointError) in
            try variants.merged(name, layer, activeNames, &workspace)
        }
        model.embedding = try variants.mergedEmbedding(activeNames, &workspace)
        return model
    }

    private func named(_ names: [String]) -> [(name: String, adapter: ModelAdapter)] {
        names.compactMap { name in adapters[name].map { (name, $0) } }
    }

    /// The base with the layers in the order of the adapters.
    private func stacked(_ active: [ModelAdapter]) -> LanguageModel {
        base.stacked(active.lazy.compactMap(\.layerOrder).first)
    }

    private func checkTogether(_ names: [String]) throws(CheckpointError) {
        var owners: [String: String] = [:]
        let orders = Set(named(names).map { $0.adapter.layerOrder })
        guard orders.count <= 1 else {
            throw CheckpointError(
                .adapterContradiction,
                "the adapters stack layers differently",
                key: "layer_replication"
            )
        }
        for (name, adapter) in named(names) {
            for tensor in adapter.replacedTensors {
                guard let other = owners.updateValue(name, forKey: tensor) else { continue }
                throw CheckpointError(
                    .adapterContradiction,
                    "\(other) and \(name) both have \(tensor) in place of the base's",
                    hint: "activate one of them"
                )
            }
        }
    }
}
