internal import CheckpointIO
internal import Models
internal import Tensors

extension ModelAdapter {
    /// Whether it has biases of the base.
    var hasBiases: Bool { config.map { $0.bias != .none } ?? false }

    /// The adapter as PEFT saves it.
    /// - Parameter model: what it belongs to.
    /// - Returns: nil without a configuration.
    /// - Throws: what `ModuleSelection` throws; `num.overflow`.
    func contents(for model: LanguageModel) throws(CheckpointError) -> AdapterContents? {
        guard var config else { return nil }
        let tree = ModuleTree(model, layerOrder: layerOrder)
        let selection = try ModuleSelection(config, in: tree)
        let tokens = try ModuleSelection.tokenRows(config, tree)
        var others: [TensorBytes] = []
        for replaced in selection.replacedTensors(config, tree) {
            guard let matrix = replacements[replaced.tensor] else { continue }
            // Only weights of linear layers and tables have two dimensions.
            let module = replaced.tensor.split(separator: ".").dropLast().joined(separator: ".")
            let isMatrix =
                replaced.tensor.hasSuffix(".weight") && tree[module]?.shape.count == 2
            others.append(try Self.tensor(replaced.key, matrix, isMatrix: isMatrix))
        }
        for (module, _) in tokens {
            guard let own = tokenRows[module.name] else { continue }
            let key = module.name + ".token_adapter.trainable_tokens_delta"
            others.append(try Self.tensor(key, own.rows, isMatrix: true))
        }
        var modules = selection.targets.map(\.module)
        if config.ensuresWeightTying, let head = tree.outputHead.flatMap({ tree[$0] }),
            factors[head.name] != nil, !modules.contains(head)
        {
            modules.append(head)
        }
        config.targetModules = selection.targetModules
        config = try selection.withTablesInAnyOrder(config)
        return AdapterContents(
            config,
            layers: modules.compactMap { module in
                factors[module.name].map {
                    AdapterContents.Layer(module.name, $0, kind: module.kind)
                }
            },
            otherTensors: others
        )
    }

    private static func tensor(
        _ key: String,
        _ matrix: Matrix,
        isMatrix: Bool
    ) throws(CheckpointError) -> TensorBytes {
        let name = Name(AdapterBinder.prefix + key)
        let (rows, columns) = (matrix.rowCount, matrix.columnCount)
        return TensorBytes(
            TensorDescription(
                name: name,
                dtype: .float32,
                shape: isMatrix ? [rows, columns] : [rows * columns]
            ),
            try matrix.elements.bytes(as: .float32, of: name)
        )
    }
}
