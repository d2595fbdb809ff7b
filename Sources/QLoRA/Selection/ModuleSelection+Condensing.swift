package import CheckpointIO
internal import Text

extension ModuleSelection {
    /// Lists of at least so many names are written in short.
    private static let longListCount = 20

    /// Returns the shortest endings that still tell a long list's modules from all others.
    static func condensed(
        _ names: LoRAConfig.ModuleNames,
        _ tree: ModuleTree
    ) -> LoRAConfig.ModuleNames {
        guard case .list(let targets) = names, targets.count >= longListCount else { return names }
        let wanted = Set(targets)
        let others = tree.modules.map(\.name) + tree.containers.sorted()
        // Endings of modules that are not meant; an ending has to differ from all of them.
        var forbidden: Set<String> = []
        for name in others where !wanted.contains(name) {
            if targets.contains(where: { ModuleMatcher.ends(name, with: $0) }) { continue }
            forbidden.formUnion(endings(of: name))
        }
        let sorted = wanted.map(endings).sorted { $0.lexicographicallyPrecedes($1) }
        var chosen: [String] = []
        for endings in sorted {
            guard let name = endings.last else { continue }
            for ending in endings {
                if chosen.contains(where: { name == $0 || ModuleMatcher.ends(name, with: $0) }) {
                    break
                }
                if !forbidden.contains(ending) {
                    chosen.append(ending)
                    break
                }
            }
        }
        return chosen.count < targets.count ? .list(chosen) : names
    }

    /// `c`, `b.c`, `a.b.c` of `a.b.c`.
    private static func endings(of name: String) -> [String] {
        let parts = name.split(separator: ".")
        return parts.indices.reversed().map { parts[$0...].joined(separator: ".") }
    }

    /// Returns a configuration that means the same whatever the order of its pattern tables' keys, as
    /// long as the model has the selected modules: PEFT sorts the keys when it writes, and tries them
    /// in that order.
    package func withTablesInAnyOrder(_ config: LoRAConfig) throws(CheckpointError) -> LoRAConfig {
        var result = config
        result.rankPattern.entries.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        result.alphaPattern.entries.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        let ranks = try CompiledPatternTable(result.rankPattern, key: "rank_pattern")
        let alphas = try CompiledPatternTable(result.alphaPattern, key: "alpha_pattern")
        var isSame = true
        for target in targets {
            let rank = try ranks.entry(of: target.module.name)?.value ?? config.rank
            let alpha = try alphas.entry(of: target.module.name)?.value ?? config.alpha
            isSame = isSame && rank == target.rank && alpha == target.alpha
        }
        guard !isSame else { return result }
        func key(_ target: Target) -> String { "^" + PythonPattern.escaping(target.module.name) }
        result.rankPattern = PatternTable(
            targets.filter { $0.rank != config.rank }.map { (key($0), $0.rank) }
        )
        result.alphaPattern = PatternTable(
            targets.filter { $0.alpha != config.alpha }.map { (key($0), $0.alpha) }
        )
        return result
    }
}
