/// A tensor of the base that an adapter has one of its own in place of.
struct ReplacedTensor: Sendable, Hashable {
    /// The name in the base.
    let tensor: String
    /// The name in the adapter's file, behind the prefix of all.
    let key: String
}

extension ModuleSelection {
    /// The tensors that an adapter of this configuration has in place of the base's: modules that are stored
    /// whole, and biases.
    func replacedTensors(_ config: LoRAConfig, _ tree: ModuleTree) -> [ReplacedTensor] {
        var result: [ReplacedTensor] = []
        for module in wholeModules(config, tree) {
            let parts =
                (module.shape.isEmpty ? [] : [".weight"])
                + (module.biasCount == nil ? [] : [".bias"])
            result += parts.map { ReplacedTensor(tensor: module.name + $0, key: module.name + $0) }
        }
        let adapted = Set(targets.map(\.module.name))
        for module in tree.modules where module.biasCount != nil {
            let isAdapted = adapted.contains(module.name)
            switch config.bias {
            case .none: continue
            case .adapted where !isAdapted: continue
            case .adapted, .all:
                let part = isAdapted ? ".base_layer.bias" : ".bias"
                result.append(
                    ReplacedTensor(tensor: module.name + ".bias", key: module.name + part)
                )
            }
        }
        return result
    }

    /// The modules that are stored whole.
    ///
    /// PEFT takes every name that ends with an entry, also inside of
    /// a word: `norm` is `input_layernorm` as well.
    private func wholeModules(_ config: LoRAConfig, _ tree: ModuleTree) -> [ModuleTree.Module] {
        var modules = savedModules
        modules += tree.modules.filter { module in
            !modules.contains(module)
                && config.modulesToSave.contains { module.name.hasSuffix($0) }
        }
        let isTied = config.ensuresWeightTying && tree.tiesHead
        let ends = [tree.inputEmbedding, tree.outputHead].compactMap { $0 }
        if isTied, modules.contains(where: { ends.contains($0.name) }) {
            modules += ends.compactMap { tree[$0] }.filter { !modules.contains($0) }
        }
        return modules
    }
}
