internal import CheckpointIO

/// What keeps adapters from being combined.
enum CombinationChecks {
    static func check(
        _ parts: [AdapterCombination.Part],
        _ options: CombinationOptions
    ) throws(CheckpointError) {
        try check(options)
        for part in parts {
            guard part.weight.isFinite else {
                throw AdapterCombination.usage(
                    "the weight of \(part.adapter.name) is \(part.weight)"
                )
            }
            try check(part.adapter)
        }
        guard Set(parts.compactMap(\.adapter.baseCheck)).count <= 1 else {
            throw CheckpointError(
                .adapterContradiction,
                "two adapters were made together with bases of their own, which differ",
                file: AdapterFileName.weights
            )
        }
        var saved: Set<String> = []
        for module in parts.flatMap(\.adapter.config.modulesToSave)
        where !saved.insert(module).inserted {
            throw CheckpointError(
                .adapterContradiction,
                "two adapters store \(module) whole",
                file: AdapterFileName.config,
                key: "modules_to_save"
            )
        }
    }

    private static func check(_ options: CombinationOptions) throws(CheckpointError) {
        if options.kind.needsDensity {
            guard let density = options.density else {
                throw AdapterCombination.usage("\(options.kind.rawValue) needs a density")
            }
            guard (0...1).contains(density), density > 0 || !options.kind.drops else {
                throw AdapterCombination.usage(
                    "a density of \(density): it is a share, \(options.kind.drops ? "above" : "from") 0 to 1"
                )
            }
        }
        if let rank = options.rank, rank < 0 {
            throw AdapterCombination.usage("a rank of \(rank)")
        }
        if let clamp = options.clamp, !(0...1).contains(clamp) {
            throw AdapterCombination.usage("a clamp at the quantile \(clamp): it is from 0 to 1")
        }
    }

    private static func check(_ adapter: AdapterFolder) throws(CheckpointError) {
        let config = adapter.config
        let obstacles: [(key: String, isThere: Bool, message: String)] = [
            ("use_dora", config.usesDoRA, "magnitudes cannot be combined"),
            ("lora_bias", config.hasLoRABias, "biases on B cannot be combined"),
            (
                "trainable_token_indices", config.trainableTokens != nil,
                "rows of tokens cannot be combined"
            ),
            ("bias", config.bias != .none, "biases of the base cannot be combined"),
            (
                "init_lora_weights", config.initialization.changesBase,
                "the adapter belongs to a base that its initialisation changed"
            ),
            ("layer_replication", !config.layerReplication.isEmpty, "layers are replicated"),
        ]
        guard let obstacle = obstacles.first(where: { $0.isThere }) else { return }
        throw CheckpointError(
            .adapterUnsupported,
            "\(adapter.name): \(obstacle.message)",
            file: AdapterFileName.config,
            key: obstacle.key
        )
    }
}
