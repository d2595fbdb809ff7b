internal import CheckpointIO
internal import QLoRA
internal import Quant
internal import Tensors

/// What adapters change of a model's tensors.
struct AdapterChanges: WeightChanges {
    private(set) var names: Set<Name> = []
    private(set) var warnings: [CheckpointWarning] = []
    private(set) var fingerprintFields: [Fingerprint.Field] = []
    /// The modules that factors are merged into.
    var mergedModuleCount: Int { merges.count }

    private var merges: [Name: [(LazyFactors, columnFactors: [Float]?)]] = [:]
    private var biases: [Name: [Float]] = [:]
    private var replacements: [Name: TensorView] = [:]
    private var rows: [Name: [Int: [Float]]] = [:]

    init(_ checkpoint: Checkpoint, _ parts: [AdapterFuser.Part]) throws(CheckpointError) {
        let tree = try ModuleTree(checkpoint)
        for (index, part) in parts.enumerated() {
            do throws(CheckpointError) {
                try add(part, checkpoint, tree)
            } catch {
                // With several adapters their files have the same names.
                guard parts.count > 1, let file = error.file else { throw error }
                var error = error
                error.file = "\(part.adapter.name)/\(file)"
                throw error
            }
            fingerprintFields += [
                .init("adapter-\(index).weight", "\(part.weight)"),
                .init("adapter-\(index).config", part.adapter.config.text),
                .init(
                    "adapter-\(index).tensors",
                    try FileDigest(of: part.adapter.file).hexadecimal
                ),
            ]
        }
        names = Set(merges.keys).union(biases.keys).union(replacements.keys).union(rows.keys)
    }

    func source(
        of name: Name,
        over base: any FloatSource,
        shape: [Int]
    ) throws(CheckpointError) -> any FloatSource {
        var source = base
        if let view = replacements[name] {
            guard let stored = StoredFloats(view), stored.elementCount == base.elementCount else {
                throw CheckpointError(
                    .adapterShape,
                    "the tensor has another number of elements than the base's",
                    file: view.fileName,
                    tensor: view.description.name
                )
            }
            source = stored.dtype == .float32 ? stored : RoundedFloats(stored, to: .float32)
        }
        if let added = biases[name] { source = SummedFloats(base: source, added: added) }
        let own = merges[name] ?? []
        guard !own.isEmpty || rows[name] != nil else { return source }
        return MergedFloats(
            base: source,
            rowCount: shape[0],
            // A convolution's kernel is a row: `ΔW[o, i, k…] = Σ B[o, q] · A[q, i, k…]`.
            columnCount: shape.dropFirst().reduce(1, *),
            merges: own.map { MergedFloats.Merge(factors: $0.0, columnFactors: $0.columnFactors) },
            rows: rows[name] ?? [:]
        )
    }

    // MARK: One adapter

    private mutating func add(
        _ part: AdapterFuser.Part,
        _ checkpoint: Checkpoint,
        _ tree: ModuleTree
    ) throws(CheckpointError) {
        let adapter = try part.adapter.bound(to: tree)
        try part.adapter.baseCheck?.check(checkpoint)
        warnings += adapter.warnings
        for carried in adapter.carriedWeights {
            try carry(carried, checkpoint)
        }
        for replacement in adapter.replacements {
            // A tied head has no weight of its own; the embedding's is the same.
            if tree.tiesHead, checkpoint[replacement.tensor] == nil { continue }
            guard replacements.updateValue(replacement.view, forKey: replacement.tensor) == nil
            else { throw conflict("two adapters have \(replacement.tensor) instead of the base's") }
            _ = try replacement.view.finiteFloats()
        }
        for layer in adapter.layers {
            try add(layer, weight: part.weight, checkpoint, tree)
        }
        for tokens in adapter.tokenRows {
            let matrix = try tokens.matrix()
            let name = Name(tokens.module + ".weight")
            if tree.tiesHead, checkpoint[name] == nil { continue }
            for (index, row) in tokens.rows.enumerated() {
                let values = Array(matrix.rows(in: index..<index + 1).elements)
                guard rows[name, default: [:]].updateValue(values, forKey: row) == nil else {
                    throw conflict("two adapters have row \(row) of \(tokens.module)")
                }
            }
        }
        if part.weight == 0 {
            warnings.append(
                CheckpointWarning(
                    CheckpointError(.adapterNoEffect, "the weight of \(part.adapter.name) is 0")
                )
            )
        }
    }

    private mutating func add(
        _ layer: BoundAdapter.Layer,
        weight: Double,
        _ checkpoint: Checkpoint,
        _ tree: ModuleTree
    ) throws(CheckpointError) {
        let module = layer.target.module
        let name = Name(module.name + ".weight")
        // A tied head has no weight of its own, and the factors of the embedding.
        if tree.tiesHead, module.name == tree.outputHead, checkpoint[name] == nil { return }
        // Everything is read once, so that nothing is found out half-way.
        let adapter = try layer.adapter(weight: weight)
        if module.kind == .convolution { try check(adapter, isOf: module) }
        var columnFactors: [Float]?
        if module.kind == .embedding, let magnitude = adapter.magnitude {
            columnFactors = try EmbeddingNorms(checkpoint, name, adapter).factors(magnitude)
        }
        merges[name, default: []].append((LazyFactors(layer, weight: weight), columnFactors))
        if let bias = adapter.bias {
            let biasName = Name(module.name + ".bias")
            guard checkpoint[biasName] != nil else {
                throw unsupported("lora_bias", "\(module.name) has no bias to add to")
            }
            let scaled = bias.map { Float(adapter.scaling) * $0 }
            biases[biasName] = biases[biasName].map { zip($0, scaled).map { $0 + $1 } } ?? scaled
        }
    }

    private func check(
        _ adapter: LoRAAdapter,
        isOf convolution: ModuleTree.Module
    ) throws(CheckpointError) {
        let shape = convolution.shape
        let kernelCount = shape.dropFirst().reduce(1, *)
        guard adapter.outputCount == shape[0] else {
            throw CheckpointError(
                .adapterShape,
                "the factors of \(convolution.name) belong to another convolution",
                file: AdapterFileName.weights,
                expected: "\(shape[0]) outputs",
                found: "\(adapter.outputCount)"
            )
        }
        // The factors see all channels, each group of a weight only its own.
        guard adapter.inputCount == kernelCount else {
            throw unsupported(
                "target_modules",
                "\(convolution.name) has a kernel of \(kernelCount) numbers and the adapter one of "
                    + "\(adapter.inputCount), as for a convolution in groups"
            )
        }
    }

    /// An embedding of the base that comes along: what the adapter was trained on.
    private mutating func carry(
        _ carried: BoundAdapter.Replacement,
        _ checkpoint: Checkpoint
    ) throws(CheckpointError) {
        guard let own = checkpoint[carried.tensor], let floats = StoredFloats(own) else { return }
        guard own.description.shape == carried.view.description.shape else {
            throw CheckpointError(
                .adapterShape,
                "the adapter was trained on an embedding of another size",
                file: carried.view.fileName,
                tensor: carried.view.description.name,
                expected: "\(own.description.shape)",
                found: "\(carried.view.description.shape)"
            )
        }
        let widened = try own.finiteFloats()
        let there = try carried.view.finiteFloats()
        // The base's type is the narrower one, if they differ.
        let isSame =
            widened == there
            || (floats.dtype == .bfloat16 && widened == there.map { Float(BFloat16($0)) })
        guard !isSame else { return }
        replacements[carried.tensor] = carried.view
        warnings.append(
            CheckpointWarning(
                CheckpointError(
                    .adapterTensorUnused,
                    "differs from the base's, and is taken in its place: the adapter was trained on it",
                    file: carried.view.fileName,
                    tensor: carried.view.description.name
                )
            )
        )
    }

    private func unsupported(_ key: String, _ message: String) -> CheckpointError {
        CheckpointError(
            .adapterUnsupported,
            "cannot be merged: " + message,
            file: AdapterFileName.config,
            key: key
        )
    }

    private func conflict(_ message: String) -> CheckpointError {
        CheckpointError(.adapterContradiction, message, file: AdapterFileName.config)
    }
}
