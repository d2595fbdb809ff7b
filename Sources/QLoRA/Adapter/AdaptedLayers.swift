public import CheckpointIO
internal import Machine
public import Models
internal import Quant
internal import Tensors

/// The linear layers of a model and the adapters on them: added, loaded, activated, merged, removed.
///
/// A failed operation changes nothing. Layers that an adapter does not select stay as they are.
public struct AdaptedLayers: Sendable {
    /// The names of all adapters in the order in which they came.
    public private(set) var adapterNames: [String] = []
    /// The names of those that apply, in their order.
    public private(set) var activeNames: [String] = []
    /// The names of those that are part of the weights.
    public private(set) var mergedNames: [String] = []
    /// The names of those that training changes: a property of the adapter, whatever is active.
    public private(set) var trainableNames: Set<String> = []
    /// Whether adapters apply at all.
    public private(set) var isEnabled = true
    /// The modules that adapters select from.
    public let tree: ModuleTree

    private var layers: [String: LoRALinear]
    /// The layers before merging, with all adapters.
    private var unmerged: [String: LoRALinear] = [:]
    private var configs: [String: LoRAConfig] = [:]

    /// Takes the layers of a model.
    /// - Parameters:
    ///   - layers: by the dotted names of their modules, in the order of the network.
    ///   - outputHead: the module that makes the logits, which `all-linear` leaves out.
    ///   - modelType: for the default of `target_modules`.
    /// - Precondition: no name stands twice.
    public init(
        _ layers: [(module: String, layer: Linear)],
        outputHead: String? = nil,
        modelType: String? = nil
    ) {
        tree = ModuleTree(
            layers.map { module, layer in
                ModuleTree.Module(
                    module,
                    .linear,
                    shape: [layer.outputCount, layer.inputCount],
                    biasCount: layer.bias?.count
                )
            },
            outputHead: outputHead,
            modelType: modelType
        )
        self.layers = Dictionary(
            uniqueKeysWithValues: layers.map { ($0.module, LoRALinear($0.layer)) }
        )
    }

    /// The layer of a module as it is to be run now; nil if there is none.
    public subscript(module: String) -> LoRALinear? { layers[module] }

    /// The configuration of an adapter.
    public func config(of name: String) -> LoRAConfig? { configs[name] }

    // MARK: Adding

    /// Adds a new adapter, which does not become active by that.
    /// - Parameters:
    ///   - name: of the adapter.
    ///   - config: what it selects, and its ranks and scalings.
    ///   - initializer: makes the factors; one that changes the base is refused.
    ///   - seed: for what is random.
    ///   - isTrainable: whether training changes it.
    ///   - workspace: scratch memory.
    /// - Throws: `adapter.name`; what `ModuleSelection` throws; `adapter.unsupported` for what is more than
    ///   factors of linear layers; what the initializer throws.
    public mutating func add(
        _ name: String,
        _ config: LoRAConfig,
        initializer: any AdapterInitializer = RandomInitializer(),
        seed: UInt64 = 0,
        isTrainable: Bool = true,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        try AdapterNames.checkNew(name, among: adapterNames)
        try Self.checkCanLive(config)
        let own = try initializer.adapters(
            for: ModuleSelection(config, in: tree).targets,
            config,
            seed: seed,
            workspace: &workspace
        ) { original($0)?.base }
        register(name, config, own, isTrainable: isTrainable)
    }

    /// Adds an adapter from its folder, which does not become active by that.
    /// - Parameters:
    ///   - folder: the adapter.
    ///   - name: what it is called here.
    ///   - isTrainable: whether training changes it.
    /// - Throws: `adapter.name`; what `AdapterFolder.bound(to:)` throws; `adapter.unsupported` for what is
    ///   more than factors of linear layers; `num.nonFinite`.
    public mutating func load(
        _ folder: AdapterFolder,
        as name: String,
        isTrainable: Bool = false
    ) throws(CheckpointError) {
        try AdapterNames.checkNew(name, among: adapterNames)
        try Self.checkCanLive(folder.config)
        let bound = try folder.bound(to: tree)
        var own: [String: LoRAAdapter] = [:]
        for layer in bound.layers {
            var adapter = try layer.adapter()
            adapter.dropout = folder.config.dropout
            own[layer.target.module.name] = adapter
        }
        register(name, folder.config, own, isTrainable: isTrainable)
    }

    private mutating func register(
        _ name: String,
        _ config: LoRAConfig,
        _ own: [String: LoRAAdapter],
        isTrainable: Bool
    ) {
        for (module, adapter) in own {
            // Beside merged weights it waits until they are unmerged.
            if unmerged[module] != nil {
                unmerged[module]?.setAdapter(name, to: adapter)
            } else {
                layers[module]?.setAdapter(name, to: adapter)
            }
        }
        adapterNames.append(name)
        configs[name] = config
        if isTrainable { trainableNames.insert(name) }
    }

    // MARK: Activating

    /// Makes adapters active, in this order, and no others; merged ones are unmerged first.
    /// - Throws: `adapter.name` for one that is unknown or stands twice.
    public mutating func activate(_ names: [String]) throws(CheckpointError) {
        try AdapterNames.requireKnown(names, among: adapterNames)
        if !mergedNames.isEmpty { unmerge() }
        activeNames = names
        applyActivity()
    }

    /// Calls `body` with the bare base; what is active or merged then is so again afterwards.
    /// - Parameter body: receives the layers, of which nothing else changes.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws.
    public func withAdaptersDisabled<Result, Failure: Error>(
        _ body: (borrowing AdaptedLayers) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var bare = self
        if !bare.mergedNames.isEmpty { bare.unmerge() }
        bare.isEnabled = false
        bare.applyActivity()
        return try body(bare)
    }

    private mutating func applyActivity() {
        let names = isEnabled ? activeNames : []
        for module in layers.keys { layers[module]?.activate(names) }
    }

    // MARK: Changing

    /// Changes the factors of an adapter in a layer, such as by an optimizer's step.
    /// - Throws: `adapter.name`; `adapter.merged` if the adapter is part of the weights.
    public mutating func update(
        _ name: String,
        in module: String,
        _ body: (inout LoRAAdapter) -> Void
    ) throws(CheckpointError) {
        try AdapterNames.requireKnown([name], among: adapterNames)
        guard !mergedNames.contains(name) else { throw merged(name, "changed") }
        layers[module]?.updateAdapter(name, body)
    }

    /// Removes an adapter.
    /// - Throws: `adapter.name`; `adapter.merged` if it is part of the weights.
    public mutating func remove(_ name: String) throws(CheckpointError) {
        try AdapterNames.requireKnown([name], among: adapterNames)
        guard !mergedNames.contains(name) else { throw merged(name, "removed") }
        for module in layers.keys { layers[module]?.removeAdapter(name) }
        for module in unmerged.keys { unmerged[module]?.removeAdapter(name) }
        adapterNames.removeAll { $0 == name }
        activeNames.removeAll { $0 == name }
        trainableNames.remove(name)
        configs[name] = nil
    }

    // MARK: Merging

    /// Makes adapters part of the weights.
    ///
    /// Sums are float32, rounded once to the type of a dense weight; a quantized one is quantized again as it
    /// was. All layers are computed, and checked for NaN, before any is changed. The layers before are kept.
    /// - Parameters:
    ///   - names: in the order of merging; nil means the active ones.
    ///   - workspace: scratch memory.
    /// - Throws: `adapter.name`; `adapter.merged` if something is merged already; `adapter.notFinite`;
    ///   `adapter.unsupported` for a bias on `B` where the layer has none; `limit.memory`.
    public mutating func merge(
        _ names: [String]? = nil,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        let names = names ?? activeNames
        try AdapterNames.requireKnown(names, among: adapterNames)
        if let first = mergedNames.first { throw merged(first, "merged once more") }
        var results: [String: LoRALinear] = [:]
        for (module, layer) in layers where names.contains(where: { layer.adapters[$0] != nil }) {
            let hasBias = names.contains { layer.adapters[$0]?.bias != nil }
            guard !hasBias || layer.base.bias != nil else {
                throw CheckpointError(
                    .adapterUnsupported,
                    "\(module) has no bias to add to",
                    key: "lora_bias"
                )
            }
            let (weight, bias) = try layer.merged(names, workspace: &workspace)
            results[module] = LoRALinear(
                Linear(try Self.stored(weight, like: layer.base.weight), bias: bias)
            )
        }
        for (module, layer) in results {
            unmerged[module] = layers.updateValue(layer, forKey: module)
        }
        mergedNames = names
    }

    /// Takes all adapters out of the weights: the layers are exactly those from before.
    public mutating func unmerge() {
        for (module, layer) in unmerged { layers[module] = layer }
        unmerged = [:]
        mergedNames = []
        applyActivity()
    }

    /// A merged weight in the form of the one before.
    static func stored(
        _ weight: Matrix,
        like base: any LinearWeight
    ) throws(CheckpointError) -> any LinearWeight {
        guard let prepared = base as? PreparedWeight else {
            return DenseWeight(weight, as: base.dtype)
        }
        return try PreparedWeight(
            try weight.quantized(using: prepared.config),
            outlierThreshold: prepared.outlierThreshold ?? 0
        )
    }

    // MARK: Saving

    /// Returns an adapter to be written.
    /// - Throws: `adapter.name`.
    public func contents(of name: String) throws(CheckpointError) -> AdapterContents {
        try AdapterNames.requireKnown([name], among: adapterNames)
        guard var config = configs[name] else {
            throw AdapterNames.unknown(name, among: adapterNames)
        }
        let selection = try ModuleSelection(config, in: tree)
        config.targetModules = selection.targetModules
        config = try selection.withTablesInAnyOrder(config)
        let own = selection.targets.compactMap { target in
            original(target.module.name)?.adapters[name].map {
                AdapterContents.Layer(target.module.name, $0)
            }
        }
        return AdapterContents(config, layers: own)
    }

    // MARK: Checks

    /// The layer with its adapters, whether they are merged or not.
    private func original(_ module: String) -> LoRALinear? { unmerged[module] ?? layers[module] }

    private func merged(_ name: String, _ what: String) -> CheckpointError {
        CheckpointError(
            .adapterMerged,
            "\(name) is part of the weights, and cannot be \(what)",
            hint: "unmerge first"
        )
    }

    private static func checkCanLive(_ config: LoRAConfig) throws(CheckpointError) {
        let obstacles: [(String, Bool)] = [
            ("modules_to_save", !config.modulesToSave.isEmpty),
            ("trainable_token_indices", config.trainableTokens != nil),
            ("bias", config.bias != .none),
            ("layer_replication", !config.layerReplication.isEmpty),
        ]
        guard let (key, _) = obstacles.first(where: { $0.1 }) else { return }
        throw CheckpointError(
            .adapterUnsupported,
            "more than factors of linear layers",
            file: AdapterFileName.config,
            key: key
        )
    }

    /// The name of no adapter in a mixed batch.
    public static let baseName = "__base__"

    /// Checks the names of a mixed batch, and returns them as layers take them.
    /// - Parameters:
    ///   - names: one for each sample, `__base__` for none.
    ///   - sampleCount: the samples.
    /// - Returns: nil in place of `__base__`.
    /// - Throws: `adapter.name` for one that is unknown, or if there are not as many as samples;
    ///   `adapter.merged` if adapters are part of the weights.
    public func adapterOfSample(
        _ names: [String],
        sampleCount: Int
    ) throws(CheckpointError) -> [String?] {
        guard names.count == sampleCount else {
            throw CheckpointError(
                .adapterName,
                "a batch has a name for each sample",
                expected: "\(sampleCount) names",
                found: "\(names.count)"
            )
        }
        if let first = mergedNames.first { throw merged(first, "mixed with others") }
        for name in names where name != Self.baseName && !adapterNames.contains(name) {
            throw AdapterNames.unknown(name, among: adapterNames)
        }
        return names.map { $0 == Self.baseName || !isEnabled ? nil : $0 }
    }
}
