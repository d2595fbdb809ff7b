public import CheckpointIO
internal import Machine
internal import Models
internal import Quant
internal import Tensors

/// Turns an adapter whose initialisation changed its base into a plain one for the original base.
///
/// The base had become `W - s B₀ A₀`, so what was trained is `W + s (B A - B₀ A₀)`: a plain adapter of twice
/// the rank, `A' = [A; A₀]`, `B' = [B, -B₀]`, with the same scaling.
public enum BaseChangeConversion {
    /// Where `A₀` and `B₀` come from.
    public enum Start: Sendable {
        /// The adapter right after its initialisation.
        case adapter(AdapterFolder)
        /// The original base, from which PiSSA and OLoRA are computed again.
        case base(Checkpoint)
    }

    /// Converts.
    /// - Parameters:
    ///   - trained: the trained adapter.
    ///   - start: what it began with.
    /// - Returns: the plain adapter; saved modules, rows of tokens and biases are carried over.
    /// - Throws: `adapter.unsupported` if nothing needs to be converted, for DoRA, and for initialisations
    ///   that cannot be computed again; `adapter.tensorMissing`, `adapter.shape` if both do not belong
    ///   together; `num.nonFinite`; what reading throws.
    public static func plain(
        _ trained: AdapterFolder,
        from start: Start
    ) throws(CheckpointError) -> AdapterContents {
        let config = trained.config
        guard config.initialization.changesBase else {
            throw unsupported(
                "init_lora_weights",
                "the adapter did not change its base, so there is nothing to convert",
                trained
            )
        }
        guard !config.usesDoRA else {
            throw unsupported("use_dora", "the difference of two DoRA adapters is none", trained)
        }
        let factors = try AdapterFactors.read(trained)
        let initial: [String: LoRAAdapter]
        switch start {
        case .adapter(let folder): initial = try AdapterFactors.byModule(folder)
        case .base(let checkpoint): initial = try computed(factors, config, checkpoint, trained)
        }
        let layers = try factors.layers.map { (layer) throws(CheckpointError) in
            guard let first = initial[layer.module] else {
                throw CheckpointError(
                    .adapterTensorMissing,
                    "the initial adapter has not the module",
                    tensor: Name(layer.module)
                )
            }
            return try concatenated(layer, first)
        }
        return AdapterContents(
            doubled(config),
            layers: layers,
            otherTensors: factors.otherTensors,
            dtype: factors.dtype
        )
    }

    private static func concatenated(
        _ layer: AdapterContents.Layer,
        _ first: LoRAAdapter
    ) throws(CheckpointError) -> AdapterContents.Layer {
        let (a, b) = (layer.adapter.a, layer.adapter.b)
        guard first.a.rowCount == a.rowCount, first.a.columnCount == a.columnCount,
            first.b.rowCount == b.rowCount
        else {
            throw CheckpointError(
                .adapterShape,
                "the trained and the initial factors have different shapes",
                tensor: Name(layer.module),
                expected: "[\(a.rowCount), \(a.columnCount)] and [\(b.rowCount), \(b.columnCount)]",
                found: "[\(first.a.rowCount), \(first.a.columnCount)] and "
                    + "[\(first.b.rowCount), \(first.b.columnCount)]"
            )
        }
        let rank = a.rowCount
        var wide = Matrix(rowCount: b.rowCount, columnCount: 2 * rank)
        for row in 0..<b.rowCount {
            for column in 0..<rank {
                wide[row, column] = b[row, column]
                wide[row, rank + column] = -first.b[row, column]
            }
        }
        let tall = Matrix(
            rowCount: 2 * rank,
            columnCount: a.columnCount,
            elements: a.elements + first.a.elements
        )
        return AdapterContents.Layer(
            layer.module,
            LoRAAdapter(
                a: tall,
                b: wide,
                bias: layer.adapter.bias,
                scaling: layer.adapter.scaling
            ),
            kind: layer.kind,
            shapes: layer.shapes.map { shapes in
                (
                    [2 * rank] + shapes.a.dropFirst(),
                    [shapes.b[0], 2 * rank] + shapes.b.dropFirst(2)
                )
            }
        )
    }

    /// Twice the rank, and an alpha with which the scaling stays.
    private static func doubled(_ config: LoRAConfig) -> LoRAConfig {
        var result = config
        let factor = config.usesRSLoRA ? 2.0.squareRoot() : 2
        result.rank *= 2
        result.alpha *= factor
        result.rankPattern = PatternTable(config.rankPattern.entries.map { ($0.key, 2 * $0.value) })
        result.alphaPattern = PatternTable(
            config.alphaPattern.entries.map { ($0.key, factor * $0.value) }
        )
        result.initialization = .kaiming
        result.otherMembers["loftq_config"] = nil
        result.otherMembers["corda_config"] = nil
        return result
    }

    // MARK: From the base

    private static func computed(
        _ factors: AdapterFactors,
        _ config: LoRAConfig,
        _ checkpoint: Checkpoint,
        _ trained: AdapterFolder
    ) throws(CheckpointError) -> [String: LoRAAdapter] {
        let method: any AdapterInitializer
        switch config.initialization {
        case .pissa(nil): method = PiSSA()
        case .olora: method = OLoRA()
        default:
            throw unsupported(
                "init_lora_weights",
                "\(config.initialization.name ?? "this") cannot be computed again from the base alone: "
                    + "the initial adapter is needed",
                trained
            )
        }
        let results = try WorkerPool.shared().map(factors.layers.count) {
            (index, _) throws(CheckpointError) -> LoRAAdapter in
            let layer = factors.layers[index]
            guard layer.kind == .linear else {
                throw unsupported(
                    "target_modules",
                    "\(layer.module) is no linear layer, so it is not computed again",
                    trained
                )
            }
            let name = Name(layer.module + ".weight")
            var weight = try Matrix(name, in: checkpoint)
            if let view = checkpoint[name],
                checkpoint.moduleKind(of: view.description) == .convolution1D
            {
                weight = weight.transposed()
            }
            var generator = SplitMix64(seed: 0)
            let (a, b) = try method.factors(
                of: DenseWeight(weight),
                rank: layer.adapter.rank,
                scaling: layer.adapter.scaling,
                generator: &generator
            )
            return LoRAAdapter(a: a, b: b, scaling: layer.adapter.scaling)
        }
        return Dictionary(uniqueKeysWithValues: zip(factors.layers.map(\.module), results))
    }

    private static func unsupported(
        _ key: String,
        _ message: String,
        _ folder: AdapterFolder
    ) -> CheckpointError {
        CheckpointError(
            .adapterUnsupported,
            "\(folder.name): \(message)",
            file: AdapterFileName.config,
            key: key
        )
    }
}
