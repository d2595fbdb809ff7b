package import CheckpointIO
package import Tensors

/// Writes a checkpoint with some of its weights changed: floats throughout, or quantized again as they
/// were.
package struct CheckpointEditor: Sendable {
    /// What is to be written.
    package struct Options: Sendable {
        /// The type of all float tensors; nil for each one's own before quantization.
        package var dtype: FloatDType?
        /// Whether quantized weights stay quantized: unchanged ones to the byte.
        package var requantizes = false
        /// The most bytes of tensors in one file; nil for a single file.
        package var maximumShardByteCount: Int?
        /// The level of zstd; nil writes plain safetensors files.
        package var zstdLevel: Int?

        package init() {}
    }

    /// What is going to happen.
    package var plan: ConversionPlan { output.plan }
    private let output: CheckpointOutput
    private let options: Options
    private let changes: any WeightChanges

    /// Plans the work.
    /// - Throws: `model.tensorMissing` for a changed tensor that the checkpoint has not; `quant.…` for a
    ///   defect; what `changes` throws.
    package init(
        _ checkpoint: Checkpoint,
        changes: any WeightChanges,
        options: Options,
        warnings: [CheckpointWarning]
    ) throws(CheckpointError) {
        self.options = options
        self.changes = changes
        if let error = checkpoint.foreignQuantization { throw error }
        if let missing = changes.names.sorted().first(where: { checkpoint[$0] == nil }) {
            throw CheckpointError(
                .modelTensorMissing,
                "the tensor is to be changed, and the model has not stored it",
                tensor: missing
            )
        }
        let planner = EditPlanner(checkpoint: checkpoint, changes: changes, options: options)
        var units: [ConversionUnit] = []
        for view in checkpoint.tensors { units += try planner.units(for: view) }
        var configuration = checkpoint.configuration
        if !options.requantizes { configuration?["quantization_config"] = nil }
        if let dtype = options.dtype, !options.requantizes, var json = configuration {
            QuantizedConfiguration.setDType(dtype, in: &json)
            configuration = json
        }
        output = try CheckpointOutput(
            checkpoint,
            units: units,
            configuration: configuration.map(QuantizedConfiguration.text),
            metadata: [.formatPyTorch] + SafetensorsLayout.Metadata.unchecked(checkpoint),
            maximumShardByteCount: options.maximumShardByteCount,
            zstdLevel: options.zstdLevel,
            warnings: checkpoint.warnings + warnings
        )
    }

    /// Writes the checkpoint.
    /// - Throws: `num.overflow` if a value does not fit the type, `quant.absmax`, `output.…`,
    ///   `file.…`, `limit.memory`; what the changes throw.
    package func run(
        to destination: String,
        command: String,
        options: RunOptions
    ) throws(CheckpointError) -> ConversionReport {
        let fields: [Fingerprint.Field] = [
            .init("command", command),
            .init("dtype", self.options.dtype?.rawValue ?? "-"),
            .init("requantize", String(self.options.requantizes)),
            .init("max-shard-size", self.options.maximumShardByteCount.map { String($0) } ?? "-"),
            .init("zstd", self.options.zstdLevel.map { String($0) } ?? "-"),
        ]
        return try output.write(
            to: destination,
            fields: fields + changes.fingerprintFields,
            options: options
        )
    }
}

/// Turns the tensors of a checkpoint into the units of an edit.
private struct EditPlanner {
    let checkpoint: Checkpoint
    let changes: any WeightChanges
    let options: CheckpointEditor.Options

    func units(for view: TensorView) throws(CheckpointError) -> [ConversionUnit] {
        let tensor = view.description
        if QuantizedNames.weight(ofSideTensor: tensor.name) != nil { return [] }
        let isChanged = changes.names.contains(tensor.name)
        if let stored = try StoredQuantization(view, in: checkpoint) {
            if isChanged { return [try changed(stored)] }
            if options.requantizes { return ([view] + stored.sideTensors).map(copy) }
        } else if isChanged {
            return [try changed(view)]
        }
        return [
            try CheckpointDequantizer.unit(
                for: view,
                of: checkpoint,
                CheckpointDequantizer.Options(dtype: options.dtype)
            )
        ]
    }

    private func copy(_ view: TensorView) -> ConversionUnit {
        ConversionUnit(
            name: view.description.name,
            shape: view.description.shape,
            sourceType: view.storedType,
            sourceByteCount: view.storedByteCount,
            action: .keep(.unchanged),
            job: CopyJob(view: view),
            outputs: [view.description]
        )
    }

    /// A float tensor with its changes.
    private func changed(_ view: TensorView) throws(CheckpointError) -> ConversionUnit {
        let tensor = view.description
        guard let stored = StoredFloats(view) else {
            throw CheckpointError(
                .quantUnsupported,
                "only floats and quantized weights can be changed",
                file: view.fileName,
                tensor: tensor.name,
                found: view.storedType
            )
        }
        let isTransposed = checkpoint.moduleKind(of: tensor) == .convolution1D
        let shape = isTransposed ? tensor.shape.reversed() : tensor.shape
        var source: any FloatSource =
            stored.dtype == .float32 ? stored : RoundedFloats(stored, to: .float32)
        if isTransposed {
            source = TransposedFloats(source, rowCount: shape[0], columnCount: shape[1])
        }
        return try rounded(
            try changes.source(of: tensor.name, over: source, shape: shape),
            shape,
            isTransposed: isTransposed,
            dtype: stored.dtype,
            of: view
        )
    }

    /// A quantized weight with its changes.
    private func changed(_ stored: StoredQuantization) throws(CheckpointError) -> ConversionUnit {
        let shape = [stored.rowCount, stored.columnCount]
        let source = try changes.source(
            of: stored.names.weight,
            over: DequantizedFloats(stored, as: .float32),
            shape: shape
        )
        if options.requantizes {
            return ConversionUnit(
                name: stored.names.weight,
                shape: shape,
                sourceType: stored.config.format.rawValue,
                sourceByteCount: stored.storedByteCount,
                action: .quantize(stored.config, isTransposed: false),
                job: QuantizeJob(
                    source,
                    as: stored.weight,
                    sourceByteCount: stored.storedByteCount,
                    measuresErrors: true
                ),
                outputs: stored.weight.outputs,
                lateOutputs: stored.weight.lateOutputs
            )
        }
        let matrix = TensorDescription(
            name: stored.names.weight,
            dtype: stored.dtype.dtype,
            shape: shape
        )
        return try rounded(
            source,
            shape,
            isTransposed: checkpoint.moduleKind(of: matrix) == .convolution1D,
            dtype: stored.dtype,
            of: stored.codes,
            sourceType: stored.config.format.rawValue,
            sourceByteCount: stored.storedByteCount
        )
    }

    private func rounded(
        _ changed: any FloatSource,
        _ shape: [Int],
        isTransposed: Bool,
        dtype: FloatDType,
        of view: TensorView,
        sourceType: String? = nil,
        sourceByteCount: Int? = nil
    ) throws(CheckpointError) -> ConversionUnit {
        let name = view.description.name
        let target = options.dtype ?? checkpoint.preferredDType.flatMap(FloatDType.init) ?? dtype
        var source = changed
        var outputShape = shape
        if isTransposed {
            source = TransposedFloats(source, rowCount: shape[1], columnCount: shape[0])
            outputShape = shape.reversed()
        }
        let byteCount = sourceByteCount ?? view.storedByteCount
        return ConversionUnit(
            name: name,
            shape: shape,
            sourceType: sourceType ?? view.storedType,
            sourceByteCount: byteCount,
            action: .merge(to: target),
            job: RoundJob(name: name, source: source, dtype: target, sourceByteCount: byteCount),
            outputs: [TensorDescription(name: name, dtype: target.dtype, shape: outputShape)]
        )
    }
}
