public import CheckpointIO
internal import Text

/// Which modules of a model an adapter's configuration selects, and with what rank and scaling.
public struct ModuleSelection: Sendable {
    /// A module that is adapted.
    public struct Target: Sendable, Hashable {
        /// The module.
        public let module: ModuleTree.Module
        /// `r`.
        public let rank: Int
        /// `alpha`.
        public let alpha: Double
        /// `alpha / r`, or with rsLoRA `alpha / √r`.
        public let scaling: Double

        package init(module: ModuleTree.Module, rank: Int, alpha: Double, scaling: Double) {
            self.module = module
            self.rank = rank
            self.alpha = alpha
            self.scaling = scaling
        }
    }

    /// The adapted modules in the order of the network.
    public let targets: [Target]
    /// The modules that are stored whole.
    public let savedModules: [ModuleTree.Module]
    /// The names of containers that are stored whole.
    public let savedContainers: [String]
    /// `target_modules` as the configuration of a trained adapter has it: `all-linear` and defaults
    /// resolved, long lists in short.
    public let targetModules: LoRAConfig.ModuleNames
    /// What is odd: entries that fit nothing.
    public let warnings: [CheckpointWarning]

    /// Selects.
    /// - Throws: `adapter.noTarget` if nothing is selected or a saved module is not there;
    ///   `adapter.unsupported` if a selected module takes no adapter; `adapter.pattern`; `adapter.range` for
    ///   a rank below 1;
    ///   `adapter.contradiction` if a module is to be adapted in two ways.
    public init(_ config: LoRAConfig, in tree: ModuleTree) throws(CheckpointError) {
        let wanted = try Self.resolved(config, tree)
        let matcher = try ModuleMatcher(config, targets: wanted)
        var (targets, excludedCount) = ([Target](), 0)
        let ranks = try CompiledPatternTable(config.rankPattern, key: "rank_pattern")
        let alphas = try CompiledPatternTable(config.alphaPattern, key: "alpha_pattern")
        var (usedRanks, usedAlphas) = (Set<Int>(), Set<Int>())
        for module in tree.modules {
            switch try matcher.decision(module.name) {
            case .excluded: excludedCount += 1
            case .unmatched: break
            case .selected:
                try Self.checkKind(module)
                let rank = try ranks.entry(of: module.name)
                let alpha = try alphas.entry(of: module.name)
                if let rank { usedRanks.insert(rank.index) }
                if let alpha { usedAlphas.insert(alpha.index) }
                let (r, a) = (rank?.value ?? config.rank, alpha?.value ?? config.alpha)
                guard r > 0 else {
                    throw CheckpointError(
                        .adapterRange,
                        "a rank is at least 1",
                        key: rank == nil ? "r" : "rank_pattern",
                        found: "\(r)"
                    )
                }
                targets.append(
                    Target(
                        module: module,
                        rank: r,
                        alpha: a,
                        scaling: config.scaling(rank: r, alpha: a)
                    )
                )
            }
        }
        for container in tree.containers.sorted() {
            guard case .selected = try matcher.decision(container) else { continue }
            throw CheckpointError(
                .adapterUnsupported,
                "\(container) holds other modules, and takes no adapter itself",
                key: "target_modules"
            )
        }
        guard !targets.isEmpty else {
            throw Self.nothingSelected(wanted, config, tree, excludedCount: excludedCount)
        }
        self.targets = targets
        targetModules = Self.condensed(wanted, tree)
        (savedModules, savedContainers) = try Self.saved(config, tree, targets)
        try Self.checkTokens(config, tree, targets)
        let unused = [
            ("rank_pattern", ranks.keys(besides: usedRanks)),
            ("alpha_pattern", alphas.keys(besides: usedAlphas)),
        ]
        var warnings: [CheckpointWarning] = []
        for (key, keys) in unused {
            warnings += keys.map { Self.warning(key, "\"\($0)\" fits no module") }
        }
        if case .list(let entries) = wanted {
            let names = tree.modules.map(\.name)
            warnings += entries.filter { entry in
                !names.contains { $0 == entry || ModuleMatcher.ends($0, with: entry) }
            }.map { Self.warning("target_modules", "\"\($0)\" fits no module") }
        }
        if config.excludedModules != nil, excludedCount == 0 {
            warnings.append(Self.warning("exclude_modules", "excludes no module"))
        }
        self.warnings = warnings + Self.oddities(config, tree, savedModules, targets)
    }

    // MARK: What is wanted

    /// The wanted modules as a list or a pattern.
    private static func resolved(
        _ config: LoRAConfig,
        _ tree: ModuleTree
    ) throws(CheckpointError) -> LoRAConfig.ModuleNames {
        switch config.targetModules {
        case .list([])?, .pattern("")?:
            throw CheckpointError(
                .adapterNoTarget,
                "no modules are named",
                key: "target_modules"
            )
        case .allLinear?:
            return .list(
                tree.modules.filter {
                    ($0.kind == .linear || $0.kind == .convolution1D) && $0.name != tree.outputHead
                }.map(\.name)
            )
        case let names?: return names
        case nil:
            guard let names = DefaultTargets.of(tree.modelType) else {
                throw CheckpointError(
                    .adapterNoTarget,
                    "no modules are named, and models of type \(tree.modelType ?? "unknown") "
                        + "have no default",
                    key: "target_modules"
                )
            }
            return names
        }
    }

    private static func checkKind(_ module: ModuleTree.Module) throws(CheckpointError) {
        guard case .other(let type) = module.kind else { return }
        throw CheckpointError(
            .adapterUnsupported,
            "\(module.name) is a \(type), which takes no adapter",
            key: "target_modules"
        )
    }

    private static func nothingSelected(
        _ wanted: LoRAConfig.ModuleNames,
        _ config: LoRAConfig,
        _ tree: ModuleTree,
        excludedCount: Int
    ) -> CheckpointError {
        var error = CheckpointError(
            .adapterNoTarget,
            excludedCount == 0
                ? "no module of the model is selected"
                : "no module of the model is selected, \(excludedCount) are excluded",
            key: "target_modules"
        )
        switch wanted {
        case .list(let names):
            let nearest = names.prefix(3).map { name in
                "\(name): \(tree.nearest(to: name).joined(separator: ", "))"
            }
            error.hint = "the nearest names: " + nearest.joined(separator: "; ")
        case .pattern(let pattern):
            error.hint =
                "a pattern has to match a whole name, such as "
                + (tree.modules.first?.name ?? "none") + "; found \(pattern)"
        case .allLinear: break
        }
        if !config.layersToTransform.isEmpty {
            error.hint = "layers_to_transform and layers_pattern leave none; " + (error.hint ?? "")
        }
        return error
    }

    // MARK: Saved modules and tokens

    private static func saved(
        _ config: LoRAConfig,
        _ tree: ModuleTree,
        _ targets: [Target]
    ) throws(CheckpointError) -> (modules: [ModuleTree.Module], containers: [String]) {
        var modules: [ModuleTree.Module] = []
        var containers: [String] = []
        for entry in config.modulesToSave {
            // Unlike PEFT, an entry begins at a dot, as it does where modules are excluded.
            let fits = { (name: String) in name == entry || ModuleMatcher.ends(name, with: entry) }
            let found = tree.modules.filter { fits($0.name) }
            let holders = tree.containers.filter(fits)
            guard !found.isEmpty || !holders.isEmpty else {
                throw CheckpointError(
                    .adapterNoTarget,
                    "\"\(entry)\" fits no module",
                    key: "modules_to_save",
                    hint: "the nearest names: \(tree.nearest(to: entry).joined(separator: ", "))"
                )
            }
            containers += holders.sorted()
            modules += found
            modules += tree.modules.filter { module in
                holders.contains { module.name.hasPrefix($0 + ".") }
            }
        }
        if let both = targets.first(where: { modules.contains($0.module) }) {
            throw CheckpointError(
                .adapterContradiction,
                "\(both.module.name) is to be adapted and to be stored whole",
                key: "modules_to_save"
            )
        }
        return (modules, containers)
    }

    /// The embeddings whose rows are stored, with the rows.
    static func tokenRows(
        _ config: LoRAConfig,
        _ tree: ModuleTree
    ) throws(CheckpointError) -> [(module: ModuleTree.Module, rows: [Int])] {
        let key = "trainable_token_indices"
        let wanted: [(ModuleTree.Module?, String, [Int])] =
            switch config.trainableTokens {
            case nil: []
            case .inputEmbedding(let rows):
                [(tree.inputEmbedding.flatMap { tree[$0] }, "the input embedding", rows)]
            case .modules(let modules):
                modules.sorted { $0.key < $1.key }.map { entry, rows in
                    let module = tree.modules.first {
                        $0.name == entry || ModuleMatcher.ends($0.name, with: entry)
                    }
                    return (module, entry, rows)
                }
            }
        var result: [(module: ModuleTree.Module, rows: [Int])] = []
        for (module, entry, rows) in wanted {
            guard let module else {
                throw CheckpointError(.adapterNoTarget, "\(entry) is not there", key: key)
            }
            if let count = module.shape.first, let row = rows.first(where: { $0 >= count }) {
                throw CheckpointError(
                    .adapterRange,
                    "\(module.name) has no such row",
                    key: key,
                    expected: "less than \(count)",
                    found: "\(row)"
                )
            }
            result.append((module, rows))
        }
        return result
    }

    private static func checkTokens(
        _ config: LoRAConfig,
        _ tree: ModuleTree,
        _ targets: [Target]
    ) throws(CheckpointError) {
        for (module, _) in try tokenRows(config, tree) {
            let isSaved = config.modulesToSave.contains {
                $0 == module.name || ModuleMatcher.ends(module.name, with: $0)
            }
            guard isSaved || targets.contains(where: { $0.module == module }) else { continue }
            throw CheckpointError(
                .adapterContradiction,
                "rows of \(module.name) are stored, and it is \(isSaved ? "stored whole" : "adapted")",
                key: "trainable_token_indices"
            )
        }
    }

    // MARK: What is odd

    private static func oddities(
        _ config: LoRAConfig,
        _ tree: ModuleTree,
        _ saved: [ModuleTree.Module],
        _ targets: [Target]
    ) -> [CheckpointWarning] {
        var warnings: [CheckpointWarning] = []
        if config.ensuresWeightTying, !tree.tiesHead {
            warnings.append(warning("ensure_weight_tying", "no layers of the model are tied"))
        }
        if config.hasLoRABias, let bare = targets.first(where: { $0.module.biasCount == nil }) {
            let message = "\(bare.module.name) has no bias, so that the adapter cannot be merged"
            warnings.append(warning("lora_bias", message))
        }
        if config.fanInFanOut, !targets.contains(where: { $0.module.kind == .convolution1D }) {
            warnings.append(
                warning(
                    "fan_in_fan_out",
                    "no adapted layer is stored transposed",
                    .adapterContradiction
                )
            )
        }
        if case .list(let entries)? = config.targetModules ?? DefaultTargets.of(tree.modelType) {
            let both = saved.filter { module in
                entries.contains { $0 == module.name || ModuleMatcher.ends(module.name, with: $0) }
            }
            warnings += both.prefix(1).map {
                warning("modules_to_save", "\($0.name) is stored whole, and not adapted")
            }
        }
        return warnings
    }

    private static func warning(
        _ key: String,
        _ message: String,
        _ code: CheckpointError.Code = .adapterNoTarget
    ) -> CheckpointWarning {
        CheckpointWarning(
            CheckpointError(code, message, file: AdapterFileName.config, key: key)
        )
    }
}
