internal import CheckpointIO
internal import Tensors

/// Turns a checkpoint and options into the units of a conversion.
struct ConversionPlanner {
    private let checkpoint: Checkpoint
    private let options: ConversionOptions
    private let choice: ModuleChoice
    private let decomposer: (any WeightDecomposer)?
    private let nonFiniteCheck: NonFiniteCheck?
    private(set) var units: [ConversionUnit] = []
    private(set) var warnings: [CheckpointWarning]
    private(set) var remedies: [ConversionPlan.Remedy] = []
    /// Linear modules that stay as they are, and those that do not.
    private var keptModules: [Name] = []
    private var quantized: [(module: Name, config: QuantizationConfig, dtype: FloatDType)] = []

    /// Plans; a decomposer splits some of the weights, and where it keeps floats of them nothing is
    /// quantized.
    init(
        _ checkpoint: Checkpoint,
        options: ConversionOptions,
        decomposer: (any WeightDecomposer)? = nil,
        running: RunOptions
    ) throws(CheckpointError) {
        self.checkpoint = checkpoint
        self.options = options
        self.decomposer = decomposer
        nonFiniteCheck = options.keepsNonFinite ? try NonFiniteCheck(running) : nil
        choice = ModuleChoice(checkpoint: checkpoint, options: options)
        warnings = checkpoint.warnings
        try Self.requireUnquantized(checkpoint)
        if decomposer?.kept == .nothing {
            for view in checkpoint.tensors {
                if let unit = try adaptedUnit(for: view) { units.append(unit) }
            }
            return
        }
        for view in checkpoint.tensors { units.append(try unit(for: view)) }
        if quantizes {
            try checkFormats()
            warnings += unusedPatterns + quantizedTwice
            let doubts = doubts
            warnings += doubts.findings.map(CheckpointWarning.init)
            remedies = doubts.remedies
        }
        if checkpoint.configuration == nil {
            warnings.append(
                CheckpointWarning(
                    CheckpointError(
                        .fileMissing,
                        "the model comes without it, and transformers needs one",
                        file: "config.json"
                    )
                )
            )
        }
    }

    /// `config.json` of the result; nil if the source has none.
    var configuration: JSONObject? {
        guard var json = checkpoint.configuration else { return nil }
        guard let first = quantized.first else {
            // Weights stay floats.
            if let dtype = options.dtype { QuantizedConfiguration.setDType(dtype, in: &json) }
            return json
        }
        if let dtype = options.dtype { QuantizedConfiguration.setDType(dtype, in: &json) }
        // The format that is announced is the one of most modules; the tensors tell the rest.
        let announced =
            quantized.contains { $0.config.format == options.config.format }
            ? options.config : first.config
        json["quantization_config"] = .object(
            QuantizedConfiguration.declaration(
                announced,
                isNested: quantized.contains { $0.config.absmax == .doubleQuantized },
                dtype: first.dtype,
                skippedModules: skippedModules
            )
        )
        return json
    }

    private var skippedModules: [String]? {
        let names = quantized.map(\.module)
        guard checkpoint.model != nil else {
            return SkipList.modulesByEnding(kept: keptModules, quantized: names)
        }
        return SkipList.modules(kept: keptModules, quantized: names, heads: heads)
    }

    /// `__metadata__` of the files: it names the version of a layout of our own, and tensors that
    /// are not those of the architecture.
    var metadata: [SafetensorsLayout.Metadata] {
        var metadata: [SafetensorsLayout.Metadata] = [.formatPyTorch]
        if quantized.contains(where: { $0.config.format == .int8Blockwise }) {
            let version = Name(String(BlockwiseInt8State.version))
            metadata.append(.init(Name(QuantizedConfiguration.blockwiseMethod), version))
        }
        return metadata + SafetensorsLayout.Metadata.unchecked(checkpoint)
    }

    /// The output heads, stored or not.
    private var heads: [Name] {
        let found = checkpoint.tensors.map(\.description)
            .filter { choice.matrixKind(of: $0) == .outputHead }
            .map { QuantizedTensorNames(weight: $0.name).module }
        return found.isEmpty ? ["lm_head"] : found
    }

    // MARK: One tensor

    private mutating func unit(for view: TensorView) throws(CheckpointError) -> ConversionUnit {
        let tensor = view.description
        let module = QuantizedTensorNames(weight: tensor.name).module
        guard let stored = StoredFloats(view) else {
            if choice.matrixKind(of: tensor) != nil { keptModules.append(module) }
            return copy(view, .notLinear)
        }
        let dtype = targetDType(of: stored.dtype)
        var decision = quantizes ? choice.decision(for: tensor) : .keep(.unchanged)
        let decomposer = decomposer(of: tensor.name)
        if !quantizes, let decomposer {
            let isTransposed = choice.matrixKind(of: tensor) == .convolution1D
            return split(view, stored, dtype, nil, by: decomposer, isTransposed: isTransposed)
        }
        if case .quantize = decision, let error = try nonFiniteCheck?.error(in: stored) {
            warnings.append(CheckpointWarning(error))
            decision = .keep(.nonFinite)
        }
        switch decision {
        case .keep(let reason):
            let kind = choice.matrixKind(of: tensor)
            if kind != nil { keptModules.append(module) }
            if let decomposer {
                let isTransposed = kind == .convolution1D
                return split(view, stored, dtype, nil, by: decomposer, isTransposed: isTransposed)
            }
            guard dtype != stored.dtype else { return copy(view, reason) }
            return ConversionUnit(
                name: tensor.name,
                shape: tensor.shape,
                sourceType: view.storedType,
                sourceByteCount: view.storedByteCount,
                action: .convert(dtype, reason),
                job: RoundJob(
                    name: tensor.name,
                    source: stored,
                    dtype: dtype,
                    sourceByteCount: view.storedByteCount
                ),
                outputs: [
                    TensorDescription(name: tensor.name, dtype: dtype.dtype, shape: tensor.shape)
                ]
            )
        case .quantize(let config, let isTransposed):
            quantized.append((module, config, dtype))
            if let decomposer {
                return split(
                    view,
                    stored,
                    dtype,
                    config,
                    by: decomposer,
                    isTransposed: isTransposed
                )
            }
            return quantize(view, stored, dtype, config, isTransposed: isTransposed)
        }
    }

    /// The type that float tensors of a type are stored in, or quantized from.
    private func targetDType(of dtype: FloatDType) -> FloatDType {
        options.dtype ?? checkpoint.preferredDType.flatMap(FloatDType.init) ?? dtype
    }

    private func copy(_ view: TensorView, _ reason: TensorAction.KeepReason) -> ConversionUnit {
        ConversionUnit(
            name: view.description.name,
            shape: view.description.shape,
            sourceType: view.storedType,
            sourceByteCount: view.storedByteCount,
            action: .keep(reason),
            job: CopyJob(view: view),
            outputs: [view.description]
        )
    }

    private func quantize(
        _ view: TensorView,
        _ stored: StoredFloats,
        _ dtype: FloatDType,
        _ config: QuantizationConfig,
        isTransposed: Bool
    ) -> ConversionUnit {
        let tensor = view.description
        let shape = isTransposed ? tensor.shape.reversed() : tensor.shape
        var source: any FloatSource = stored
        if dtype != stored.dtype {
            source = RoundedFloats(source, to: dtype)
        }
        if isTransposed {
            source = TransposedFloats(source, rowCount: shape[0], columnCount: shape[1])
        }
        let weight = StoredWeight(
            names: QuantizedTensorNames(weight: tensor.name),
            config: config,
            dtype: dtype,
            rowCount: shape[0],
            columnCount: shape[1]
        )
        return ConversionUnit(
            name: tensor.name,
            shape: shape,
            sourceType: view.storedType,
            sourceByteCount: view.storedByteCount,
            action: .quantize(config, isTransposed: isTransposed),
            job: QuantizeJob(
                source,
                as: weight,
                sourceByteCount: view.storedByteCount,
                measuresErrors: options.measuresErrors
            ),
            outputs: weight.outputs,
            lateOutputs: weight.lateOutputs
        )
    }

    // MARK: Weights that are split

    /// What splits a weight; nil if it is not split.
    private func decomposer(of name: Name) -> (any WeightDecomposer)? {
        decomposer.flatMap { $0.names.contains(name) ? $0 : nil }
    }

    /// Whether the conversion quantizes weights.
    private var quantizes: Bool { decomposer == nil || decomposer?.kept == .quantized }

    private func split(
        _ view: TensorView,
        _ stored: StoredFloats,
        _ dtype: FloatDType,
        _ config: QuantizationConfig?,
        by decomposer: any WeightDecomposer,
        isTransposed: Bool
    ) -> ConversionUnit {
        let tensor = view.description
        let shape = isTransposed ? tensor.shape.reversed() : tensor.shape
        var source: any FloatSource = stored
        if dtype != stored.dtype { source = RoundedFloats(source, to: dtype) }
        if isTransposed {
            source = TransposedFloats(source, rowCount: shape[0], columnCount: shape[1])
        }
        let action: TensorAction =
            switch (decomposer.kept, config) {
            case (.nothing, _): .adapt
            case (.quantized, let config?): .quantize(config, isTransposed: isTransposed)
            case (.quantized, nil): .keep(.skipped)
            case (.floats, _): .residual(dtype)
            }
        let job = DecompositionJob(
            name: tensor.name,
            source: source,
            rowCount: shape[0],
            columnCount: shape[1],
            config: config,
            dtype: dtype,
            isTransposed: isTransposed,
            sourceByteCount: view.storedByteCount
        )
        return ConversionUnit(job, by: decomposer, sourceType: view.storedType, action: action)
    }

    /// The unit of a weight that only an adapter is made of; nil for any other tensor.
    private func adaptedUnit(for view: TensorView) throws(CheckpointError) -> ConversionUnit? {
        let tensor = view.description
        guard let decomposer = decomposer(of: tensor.name) else { return nil }
        guard let stored = StoredFloats(view) else {
            throw CheckpointError(
                .quantUnsupported,
                "not a weight of floats",
                file: view.fileName,
                tensor: tensor.name,
                found: view.storedType
            )
        }
        let isTransposed = checkpoint.moduleKind(of: tensor) == .convolution1D
        let dtype = stored.dtype
        return split(view, stored, dtype, nil, by: decomposer, isTransposed: isTransposed)
    }

    // MARK: Warnings

    /// Patterns that match no module: usually typing errors.
    private var unusedPatterns: [CheckpointWarning] {
        let weights = checkpoint.tensors.map(\.description).filter { $0.name.hasSuffix(".weight") }
        let modules = weights.map { QuantizedTensorNames(weight: $0.name).module } + heads
        let linear =
            weights.filter { choice.matrixKind(of: $0) != nil }
            .map { QuantizedTensorNames(weight: $0.name).module }
        func warning(_ option: String, _ pattern: ModulePattern, _ what: String)
            -> CheckpointWarning
        {
            CheckpointWarning(
                CheckpointError(.optionUnused, "\(option) '\(pattern.text)' matches no \(what)")
            )
        }
        let skip = options.skip.filter { !modules.contains(where: $0.matches) }
            .map { warning("`skip`", $0, "module") }
        let only = options.only.filter { !linear.contains(where: $0.matches) }
            .map { warning("`only`", $0, "linear layer") }
        let rules = options.rules.map(\.pattern).filter { !linear.contains(where: $0.matches) }
            .map { warning("`rules`", $0, "linear layer") }
        return skip + only + rules
    }

    private var doubts: ConversionDoubts {
        ConversionDoubts(
            checkpoint: checkpoint,
            choice: choice,
            units: units,
            quantized: quantized.map { ($0.module, $0.config) },
            isPacked: options.zstdLevel != nil
        )
    }

    /// The packed types of weights that are quantized once more, from a GGUF file.
    private var quantizedTwice: [CheckpointWarning] {
        let types = units.filter { unit in
            if case .quantize = unit.action {
                !TensorView.plainTypes.contains(unit.sourceType)
            } else {
                false
            }
        }.map(\.sourceType)
        guard !types.isEmpty else { return [] }
        let names = Set(types).sorted().joined(separator: ", ")
        return [
            CheckpointWarning(
                CheckpointError(
                    .quantTwice,
                    "the weights were quantized before (\(names)); errors are measured against them, "
                        + "not against the model they were made of"
                )
            )
        ]
    }

    // MARK: Checks

    /// Checks the tensors, not what `config.json` announces: a leftover announcement over plain
    /// tensors is warned of when the checkpoint is opened, and replaced.
    static func requireUnquantized(_ checkpoint: Checkpoint) throws(CheckpointError) {
        if let error = checkpoint.foreignQuantization { throw error }
        let side = checkpoint.tensors.first {
            QuantizedNames.weight(ofSideTensor: $0.description.name) != nil
        }
        guard let side else { return }
        throw CheckpointError(
            .quantUnsupported,
            "the model is quantized already",
            file: side.fileName,
            tensor: side.description.name,
            hint: "dequantize it first, or better convert the model that it was made from"
        )
    }

    /// One declaration in `config.json` has to hold for all modules.
    private func checkFormats() throws(CheckpointError) {
        guard let first = quantized.first else {
            throw CheckpointError(
                .quantUnsupported,
                "no weight of the model would be quantized",
                hint: ConversionDoubts.unreadTypes(checkpoint, choice).map {
                    "the linear weights are \($0.types), which are not read"
                } ?? "see which modules `skip`, `only` and `rules` leave"
            )
        }
        guard let other = quantized.first(where: { $0.config.format != first.config.format })
        else { return }
        throw CheckpointError(
            .quantUnsupported,
            "\(other.module) would become \(other.config.format.rawValue) and \(first.module)"
                + " \(first.config.format.rawValue), which one model cannot mix",
            tensor: other.module,
            hint: "bitsandbytes knows one format for all modules; leave some as they are instead"
        )
    }
}
