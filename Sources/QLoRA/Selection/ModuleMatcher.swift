internal import CheckpointIO
internal import Text

/// Decides by a module's name whether an adapter goes there, as PEFT does.
struct ModuleMatcher {
    private let targets: Names
    private let excluded: Names?
    private let saved: [PythonPattern]
    private let layers: Set<Int>
    private let layerPatterns: [PythonPattern]

    /// A list of endings, or a compiled pattern.
    enum Names {
        case list([String])
        case pattern(PythonPattern)

        init(_ names: LoRAConfig.ModuleNames, key: String) throws(CheckpointError) {
            switch names {
            case .list(let names): self = .list(names)
            case .pattern(let text): self = .pattern(try CheckpointError.pattern(text, key: key))
            case .allLinear: preconditionFailure("all-linear is a list by now")
            }
        }

        /// Whether an entry is the name, or the pattern matches all of it.
        func fit(_ name: String) throws(CheckpointError) -> Bool {
            switch self {
            case .list(let names):
                names.contains { $0 == name || ModuleMatcher.ends(name, with: $0) }
            case .pattern(let pattern): try pattern.fitsWhole(name)
            }
        }
    }

    init(_ config: LoRAConfig, targets: LoRAConfig.ModuleNames) throws(CheckpointError) {
        self.targets = try Names(targets, key: "target_modules")
        if let names = config.excludedModules {
            excluded = try Names(names, key: "exclude_modules")
        } else {
            excluded = nil
        }
        var saved: [PythonPattern] = []
        for entry in config.modulesToSave {
            saved.append(
                try CheckpointError.pattern("(^|.*\\.)\(entry)($|\\..*)", key: "modules_to_save")
            )
        }
        self.saved = saved
        layers = Set(config.layersToTransform)
        // The first number that has two names before it, or the one behind a given pattern.
        var patterns = config.layersPattern.map { "(?:^|.*?\\.)\($0)\\.(\\d+)\\." }
        if patterns.isEmpty { patterns = [".*?\\.[^.]*\\.(\\d+)\\."] }
        var layerPatterns: [PythonPattern] = []
        for pattern in patterns {
            layerPatterns.append(try CheckpointError.pattern(pattern, key: "layers_pattern"))
        }
        self.layerPatterns = layerPatterns
    }

    /// Why a module is adapted or not.
    enum Decision {
        case selected
        case excluded
        case unmatched
    }

    func decision(_ name: String) throws(CheckpointError) -> Decision {
        if let excluded, try excluded.fit(name) { return .excluded }
        if try isSaved(name) { return .excluded }
        switch targets {
        case .pattern: return try targets.fit(name) ? .selected : .unmatched
        case .list(let names):
            // An exact name counts whatever the layers are.
            if names.contains(name) { return .selected }
            let ends = names.contains { Self.ends(name, with: $0) }
            guard ends, try isInLayers(name) else { return .unmatched }
            return .selected
        }
    }

    /// Whether a module belongs to one that is stored whole.
    func isSaved(_ name: String) throws(CheckpointError) -> Bool {
        for pattern in saved {
            if try pattern.fitsPrefix(of: name) { return true }
        }
        return false
    }

    private func isInLayers(_ name: String) throws(CheckpointError) -> Bool {
        guard !layers.isEmpty else { return true }
        for pattern in layerPatterns {
            if let index = try pattern.group(ofPrefixOf: name) {
                return Int(index).map(layers.contains) ?? false
            }
        }
        return false
    }

    /// Whether a name ends with an entry, behind a dot.
    static func ends(_ name: String, with entry: String) -> Bool {
        name.hasSuffix("." + entry)
    }
}
