internal import CheckpointIO
internal import LinearAlgebra
internal import Machine
internal import Models
internal import QLoRA
internal import Quant
internal import Synchronization
internal import Tensors

/// Splits the weights of selected layers into a base and an adapter.
struct LayerDecomposer: WeightDecomposer {
    let method: AdapterMethod
    let options: AdapterCreation.Options
    /// The quantized model that is not to be changed; nil if one is made.
    let base: Checkpoint?
    let kept: KeptPart
    let sideFile: SideFile
    let names: Set<Name>
    private let targets: [Name: ModuleSelection.Target]
    private let order: [Name: Int]
    private let stopped = Stopped()

    /// Whether a verdict ended the walk.
    private final class Stopped: Sendable {
        let flag = Atomic(false)
    }

    init(
        _ method: AdapterMethod,
        _ options: AdapterCreation.Options,
        _ selection: ModuleSelection,
        base: Checkpoint?,
        sideFile: SideFile
    ) {
        self.method = method
        self.options = options
        self.base = base
        self.sideFile = sideFile
        kept = base != nil ? .nothing : method.quantizes ? .quantized : .floats
        var (targets, order) = ([Name: ModuleSelection.Target](), [Name: Int]())
        for (index, target) in selection.targets.enumerated() {
            let name = Name(target.module.name + ".weight")
            targets[name] = target
            order[name] = index
        }
        (self.targets, self.order) = (targets, order)
        names = Set(targets.keys)
    }

    var sources: [String] { base.map { [$0.resolvedPath] } ?? [] }

    private func target(_ name: Name) -> ModuleSelection.Target {
        guard let target = targets[name] else { preconditionFailure("\(name) is not selected") }
        return target
    }

    func sideTensors(of name: Name) -> [TensorDescription] {
        let target = target(name)
        let (rows, columns) = (target.module.shape[0], target.module.shape[1])
        return AdapterContents.descriptions(
            target.module.name,
            rank: target.rank,
            rowCount: rows,
            columnCount: columns
        )
    }

    /// Weight and residual; what the files need of them; copies in Double where LAPACK does all.
    func byteCount(forRows rowCount: Int, columns columnCount: Int) -> Int {
        let matrix = 4 * rowCount * columnCount
        let isSmall = min(rowCount, columnCount) <= 1024
        return (isSmall || method == .olora ? 10 : 3) * matrix
    }

    func decompose(
        _ weight: Matrix,
        of name: Name,
        config: QuantizationConfig?,
        dtype: FloatDType,
        on workers: WorkerPool
    ) throws(CheckpointError) -> Decomposition {
        let target = target(name)
        if kept == .quantized, config == nil {
            let layer = DecomposedLayer(
                target,
                weightNorm: weight.norm(on: workers)
            )
            return try decomposition(layer, .floats(weight), fresh(weight, target))
        }
        if let base {
            return try correcting(weight, QuantizedMatrix(name, in: base), target, on: workers)
        }
        guard let config else { return try floats(weight, target, dtype, on: workers) }
        return try quantized(weight, target, config, dtype, on: workers)
    }

    /// Splits any matrix, for its time.
    func sample(
        _ weight: Matrix,
        rank: Int,
        on workers: WorkerPool
    ) throws(CheckpointError) {
        let module = ModuleTree.Module("", .linear, shape: [weight.rowCount, weight.columnCount])
        let target = ModuleSelection.Target(module: module, rank: rank, alpha: 1, scaling: 1)
        if kept == .floats {
            _ = try floats(weight, target, .float32, on: workers)
        } else {
            _ = try loftq(options.conversion.config, target).quantized(weight, on: workers)
        }
    }

    // MARK: One weight

    private func loftq(
        _ config: QuantizationConfig,
        _ target: ModuleSelection.Target
    ) -> LoftQ {
        var loftq = LoftQ(
            config,
            rank: target.rank,
            scaling: target.scaling,
            iterationCount: options.iterationCount
        )
        loftq.startsFromWeight = method == .qpissa
        loftq.seed = options.seed
        return loftq
    }

    private func quantized(
        _ weight: Matrix,
        _ target: ModuleSelection.Target,
        _ config: QuantizationConfig,
        _ dtype: FloatDType,
        on workers: WorkerPool
    ) throws(CheckpointError) -> Decomposition {
        guard !stopped.flag.load(ordering: .relaxed) else {
            return try plain(weight, target, config, dtype, nil, on: workers)
        }
        let result = try loftq(config, target).quantized(weight, recordedAs: dtype, on: workers)
        let layer = judged(
            DecomposedLayer(
                target,
                weightNorm: result.weightNorm,
                plainError: result.plainError,
                errors: result.errors,
                best: result.best
            )
        )
        guard layer.verdict == .accept else {
            return try plain(weight, target, config, dtype, layer, on: workers)
        }
        return try decomposition(layer, .quantized(result.quantized), result.adapter)
    }

    /// A weight that is quantized as if there were no adapter; nobody was asked about it without a layer.
    private func plain(
        _ weight: Matrix,
        _ target: ModuleSelection.Target,
        _ config: QuantizationConfig,
        _ dtype: FloatDType,
        _ judged: DecomposedLayer?,
        on workers: WorkerPool
    ) throws(CheckpointError) -> Decomposition {
        let quantized = try weight.quantized(using: config).recorded(as: dtype)
        let layer: DecomposedLayer
        if let judged {
            layer = judged
        } else {
            var residual = weight
            residual.subtract(quantized, on: workers)
            layer = DecomposedLayer(
                target,
                weightNorm: weight.norm(on: workers),
                plainError: residual.norm(on: workers),
                verdict: .stop
            )
        }
        return try decomposition(layer, .quantized(quantized), fresh(weight, target))
    }

    /// The single step on a base that stays as it is.
    private func correcting(
        _ weight: Matrix,
        _ quantized: QuantizedMatrix,
        _ target: ModuleSelection.Target,
        on workers: WorkerPool
    ) throws(CheckpointError) -> Decomposition {
        let (adapter, plainError, error) = try loftq(quantized.config, target)
            .adapter(for: quantized, of: weight, on: workers)
        let layer = judged(
            DecomposedLayer(
                target,
                weightNorm: weight.norm(on: workers),
                plainError: plainError,
                errors: [error]
            )
        )
        let kept = layer.verdict == .accept ? adapter : try fresh(weight, target)
        return try decomposition(layer, .nothing, kept, base: quantized)
    }

    /// A base of floats without what the adapter has.
    private func floats(
        _ weight: Matrix,
        _ target: ModuleSelection.Target,
        _ dtype: FloatDType,
        on workers: WorkerPool
    ) throws(CheckpointError) -> Decomposition {
        let initializer: any AdapterInitializer = method == .olora ? OLoRA() : PiSSA()
        var generator = SplitMix64(seed: options.seed)
        let (a, b) = try initializer.factors(
            of: DenseWeight(weight),
            rank: target.rank,
            scaling: target.scaling,
            generator: &generator
        )
        let adapter = LoRAAdapter(a: a, b: b, scaling: target.scaling)
        var residual = weight
        residual.subtract(adapter, on: workers)
        // What the file will hold.
        let rounded = DenseWeight(residual, as: dtype).dequantized()
        var error = residual
        error.withMutableElements { elements in
            rounded.elements.withFloatSpan { Rows.subtract($0, from: &elements) }
        }
        let layer = judged(
            DecomposedLayer(
                target,
                weightNorm: weight.norm(on: workers),
                errors: [error.norm(on: workers)]
            )
        )
        guard layer.verdict == .accept else {
            return try decomposition(layer, .floats(weight), fresh(weight, target))
        }
        return try decomposition(layer, .floats(residual), adapter, checked: rounded)
    }

    /// A new adapter that changes nothing.
    private func fresh(
        _ weight: Matrix,
        _ target: ModuleSelection.Target
    ) throws(CheckpointError) -> LoRAAdapter {
        let index = order[Name(target.module.name + ".weight")] ?? 0
        var generator = SplitMix64(seed: options.seed &+ UInt64(index))
        let (a, b) = try RandomInitializer(.kaiming).factors(
            of: DenseWeight(weight),
            rank: target.rank,
            scaling: target.scaling,
            generator: &generator
        )
        return LoRAAdapter(a: a, b: b, scaling: target.scaling)
    }

    private func judged(_ layer: DecomposedLayer) -> DecomposedLayer {
        var layer = layer
        if stopped.flag.load(ordering: .relaxed) {
            layer.verdict = .stop
        } else if let decide = options.decide {
            layer.verdict = decide(layer)
            if layer.verdict == .stop { stopped.flag.store(true, ordering: .relaxed) }
        }
        return layer
    }

    private func decomposition(
        _ layer: DecomposedLayer,
        _ kept: Decomposition.Kept,
        _ adapter: LoRAAdapter,
        base: QuantizedMatrix? = nil,
        checked: Matrix? = nil
    ) throws(CheckpointError) -> Decomposition {
        let (a, b) = (adapter.a.elements, adapter.b.elements)
        let tensors = AdapterContents.descriptions(
            layer.module,
            rank: adapter.rank,
            rowCount: layer.rowCount,
            columnCount: layer.columnCount
        )
        var note = layer.note
        let first = 0..<min(BaseCheck.rowCount, layer.rowCount) * layer.columnCount
        let rows: [Float] =
            switch kept {
            case .quantized(let own): own.decoded(first, scales: own.absmax.values)
            case .floats(let matrix): Array((checked ?? matrix).elements[first])
            case .nothing: base.map { $0.decoded(first, scales: $0.absmax.values) } ?? []
            }
        note["base_norm"] = .double(BaseCheck.norm(rows))
        return Decomposition(
            kept,
            side: [
                TensorBytes(tensors[0], a.littleEndianBytes),
                TensorBytes(tensors[1], b.littleEndianBytes),
            ],
            note: note
        )
    }

    // MARK: The run

    func sideMetadata(_ notes: [Name: JSONObject]) -> [SafetensorsLayout.Metadata] {
        let norms = notes.sorted { $0.key < $1.key }.compactMap { name, note in
            note["base_norm"].map { (targets[name].map { Name($0.module.name) } ?? name, $0) }
        }
        return [.init(Name(BaseCheck.metadataKey), Name(JSONObject(norms).text(.dense)))]
    }

    var fingerprintFields: [Fingerprint.Field] {
        let layers = targets.values.map { "\($0.module.name) \($0.rank) \($0.scaling)" }.sorted()
        return [
            .init("method", method.rawValue),
            .init("iterations", "\(options.iterationCount)"),
            .init("seed", "\(options.seed)"),
            .init("verdicts", options.verdictName),
            .init("layers", layers.joined(separator: "\n")),
        ] + sideFile.texts.map { .init($0.path, $0.text) }
    }
}
