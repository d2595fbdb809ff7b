public import CheckpointIO
internal import LinearAlgebra
internal import Machine
public import Quant
internal import Tensors

/// Combines adapters into one, as `add_weighted_adapter` of PEFT does.
///
/// The result has every module of any of them, rank and alpha `R`, so that its scaling is 1. All arithmetic
/// is float32, decompositions Double; the result has the type of the first adapter.
public struct AdapterCombination: Sendable {
    /// An adapter and its weight.
    public struct Part: Sendable {
        /// The adapter.
        public let adapter: AdapterFolder
        /// Its weight.
        public let weight: Double

        /// Takes an adapter.
        public init(_ adapter: AdapterFolder, weight: Double) {
            self.adapter = adapter
            self.weight = weight
        }
    }

    private let parts: [Part]
    private let options: CombinationOptions
    /// The factors of each part.
    private let sources: [AdapterFactors]
    /// `R`.
    public let rank: Int
    /// The names of the modules of the result.
    public let modules: [String]
    /// What is odd, but honoured.
    public let warnings: [CheckpointWarning]

    /// Checks that adapters can be combined.
    /// - Throws: `option.unused` if there is nothing to combine, or an option is missing or out of its
    ///   range; `adapter.contradiction` if the adapters exclude each other; `adapter.unsupported` for
    ///   what has no combination: magnitudes, biases, rows of tokens, bases that were changed.
    public init(_ parts: [Part], _ options: CombinationOptions) throws(CheckpointError) {
        guard !parts.isEmpty else { throw Self.usage("there is nothing to combine") }
        var options = options
        // A single adapter is a linear combination, whatever was asked for.
        if parts.count == 1 { options.kind = .linear }
        self.parts = parts
        self.options = options
        try CombinationChecks.check(parts, options)
        var sources: [AdapterFactors] = []
        var modules: [String] = []
        for part in parts {
            let own = try AdapterFactors.read(part.adapter)
            for layer in own.layers where !modules.contains(layer.module) {
                modules.append(layer.module)
            }
            sources.append(own)
        }
        self.sources = sources
        self.modules = modules
        let ranks = parts.map { part in
            max(
                part.adapter.config.rank,
                part.adapter.config.rankPattern.entries.map(\.value).max() ?? 0
            )
        }
        switch options.kind {
        case .cat: rank = ranks.reduce(0, +)
        case let kind where kind.isSVD:
            rank = options.rank.flatMap { $0 == 0 ? nil : $0 } ?? ranks.max() ?? 1
        default:
            guard Set(ranks).count == 1 else {
                throw CheckpointError(
                    .adapterContradiction,
                    "\(options.kind.rawValue) needs adapters of one rank",
                    found: ranks.map(String.init).joined(separator: ", "),
                    hint: "cat and the svd kinds combine any ranks"
                )
            }
            rank = ranks[0]
        }
        var warnings = parts.flatMap(\.adapter.warnings)
        if options.kind.needsDensity, let density = options.density, density == 1 {
            warnings.append(
                CheckpointWarning(CheckpointError(.optionUnused, "a density of 1 keeps everything"))
            )
        }
        self.warnings = warnings
        try checkShapes()
    }

    /// Combines.
    /// - Parameter run: how to run.
    /// - Returns: the adapter in memory.
    /// - Throws: `num.nonFinite` for a source's numbers; `num.factorization` if a decomposition does not
    ///   converge; what reading throws.
    public func combined(options run: RunOptions = RunOptions()) throws(CheckpointError)
        -> AdapterContents
    {
        try combined(options: run) { [options] module, place, count, density in
            Self.kept(options.seed, module, place, count, density)
        }
    }

    /// The same with other randomness, for tests.
    func combined(
        options run: RunOptions = RunOptions(),
        keeps:
            @escaping @Sendable (_ module: Int, _ place: Int, _ count: Int, _ density: Double) ->
            [Bool]
    ) throws(CheckpointError) -> AdapterContents {
        let workers = run.workers
        let layers = try workers.map(modules.count) {
            (index, _) throws(CheckpointError) -> AdapterContents.Layer in
            let own = ModuleFactors(modules[index], sources, parts)
            let combiner = TensorCombination(
                kind: options.kind,
                density: options.density,
                majoritySign: options.majoritySign,
                keeps: { place, count, density in keeps(index, place, count, density) }
            )
            let result: (a: Matrix, b: Matrix)
            do throws(LinearAlgebraError) {
                result = try own.combined(combiner, options, rank: rank)
            } catch {
                throw CheckpointError(
                    .numFactorization,
                    "\(error)",
                    tensor: Name(modules[index])
                )
            }
            return AdapterContents.Layer(
                modules[index],
                LoRAAdapter(a: result.a, b: result.b, scaling: 1),
                kind: own.kind,
                shapes: own.shapes(rank: result.a.rowCount)
            )
        }
        var contents = AdapterContents(
            config(layers),
            layers: layers,
            otherTensors: try otherTensors(),
            dtype: sources[0].dtype
        )
        contents.baseCheck = parts.compactMap(\.adapter.baseCheck).first
        return contents
    }

    private static func kept(
        _ seed: UInt64,
        _ module: Int,
        _ place: Int,
        _ count: Int,
        _ density: Double
    ) -> [Bool] {
        let ones = [Float](repeating: 1, count: count)
        var kept = ones
        ones.withFloatSpan { ones in
            kept.withMutableFloatSpan {
                Dropout.seeded(seed &+ UInt64(module) << 32)
                    .apply(to: ones, into: &$0, position: place, probability: 1 - density)
            }
        }
        return kept.map { $0 != 0 }
    }

    // MARK: The result's configuration

    private func config(_ layers: [AdapterContents.Layer]) -> LoRAConfig {
        var config = parts[0].adapter.config
        config.rank = rank
        config.alpha = Double(rank)
        config.rankPattern = PatternTable()
        config.alphaPattern = PatternTable()
        config.usesRSLoRA = false
        config.initialization = .kaiming
        config.dropout = 0
        config.excludedModules = nil
        config.layersToTransform = []
        config.layersPattern = []
        config.modulesToSave = parts.flatMap(\.adapter.config.modulesToSave)
        // The names themselves: endings of one adapter could mean more modules than it had.
        config.targetModules = .list(modules.sorted())
        config.otherMembers = JSONObject()
        // Every adapter had its own: where the combination left fewer, it says so.
        config.rankPattern = PatternTable(
            layers.filter { $0.adapter.rank != rank }.map {
                ("^" + Self.escaped($0.module), $0.adapter.rank)
            }
        )
        config.alphaPattern = PatternTable(
            layers.filter { $0.adapter.rank != rank }.map {
                ("^" + Self.escaped($0.module), Double($0.adapter.rank))
            }
        )
        return config
    }

    private static func escaped(_ name: String) -> String {
        name.map { $0 == "." ? "\\." : "\($0)" }.joined()
    }

    /// The saved modules: of one adapter at most, each.
    private func otherTensors() throws(CheckpointError) -> [TensorBytes] {
        var tensors: [TensorBytes] = []
        for tensor in sources.flatMap(\.otherTensors) {
            guard !tensors.contains(where: { $0.description.name == tensor.description.name })
            else {
                throw CheckpointError(
                    .adapterContradiction,
                    "two adapters have the tensor",
                    tensor: tensor.description.name
                )
            }
            tensors.append(tensor)
        }
        return tensors
    }

    private func checkShapes() throws(CheckpointError) {
        for module in modules {
            let own = sources.compactMap { list in list.layers.first { $0.module == module } }
            let shapes = own.map { [$0.adapter.outputCount, $0.adapter.inputCount] }
            guard Set(shapes).count <= 1 else {
                throw CheckpointError(
                    .adapterShape,
                    "the adapters are for models of different sizes",
                    tensor: Name(module),
                    expected: "\(shapes[0])",
                    found: shapes.dropFirst().map { "\($0)" }.joined(separator: ", ")
                )
            }
            guard options.kind.isSVD, let shape = shapes.first else { continue }
            let smaller = min(shape[0], shape[1])
            guard rank <= smaller else {
                throw Self.usage(
                    "a rank of \(rank) for \(module), whose smaller side is \(smaller)"
                )
            }
        }
    }

    static func usage(_ message: String) -> CheckpointError {
        CheckpointError(.optionUnused, message)
    }
}
