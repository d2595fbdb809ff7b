public import CheckpointIO
public import Tensors

/// Turns the quantized weights of a checkpoint back into floats.
///
/// The result is an ordinary checkpoint without `quantization_config`, for programs that do not
/// read quantized ones.
public struct CheckpointDequantizer: Sendable {
    /// What is to be written.
    public struct Options: Sendable {
        /// The type of all float tensors; nil for each one's own before quantization.
        public var dtype: FloatDType?
        /// The most bytes of tensors in one file; nil for a single file.
        public var maximumShardByteCount: Int?
        /// The level of zstd; nil writes plain safetensors files.
        public var zstdLevel: Int?

        /// Makes options.
        public init(dtype: FloatDType? = nil) {
            self.dtype = dtype
        }
    }

    /// What is going to happen.
    public var plan: ConversionPlan { output.plan }
    private let output: CheckpointOutput
    private let options: Options

    /// Plans the work and validates what belongs to every quantized weight, except the values of
    /// its scales.
    /// - Throws: `quant.…` for a defect; `quant.unsupported` if nothing is quantized.
    public init(_ checkpoint: Checkpoint, options: Options = Options()) throws(CheckpointError) {
        self.options = options
        var units: [ConversionUnit] = []
        for view in checkpoint.tensors {
            guard QuantizedNames.weight(ofSideTensor: view.description.name) == nil else {
                continue
            }
            units.append(try Self.unit(for: view, of: checkpoint, options))
        }
        let isQuantized = units.contains { unit in
            switch unit.action {
            case .dequantize, .convert(_, .unpacked): true
            case .keep, .convert, .quantize, .merge, .residual, .adapt: false
            }
        }
        // A GGUF file becomes a folder of floats, whatever was packed in it.
        guard isQuantized || checkpoint.container == .gguf else {
            if let error = checkpoint.foreignQuantization { throw error }
            throw CheckpointError(.quantUnsupported, "no weight of the model is quantized")
        }
        var configuration = checkpoint.configuration
        configuration?["quantization_config"] = nil
        if let dtype = options.dtype, var json = configuration {
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
            warnings: checkpoint.warnings
        )
    }

    /// Writes the float checkpoint.
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - options: how to run.
    /// - Returns: what was done.
    /// - Throws: `num.overflow` if a value does not fit the type, `quant.absmax`, `output.…`,
    ///   `file.…`, `limit.memory`.
    public func run(
        to destination: String,
        options: RunOptions = RunOptions()
    ) throws(CheckpointError) -> ConversionReport {
        let fields: [Fingerprint.Field] = [
            .init("command", "dequantize"),
            .init("dtype", self.options.dtype?.rawValue ?? "-"),
            .init("max-shard-size", self.options.maximumShardByteCount.map { String($0) } ?? "-"),
            .init("zstd", self.options.zstdLevel.map { String($0) } ?? "-"),
        ]
        return try output.write(
            to: destination,
            fields: fields,
            options: options
        )
    }

    static func unit(
        for view: TensorView,
        of checkpoint: Checkpoint,
        _ options: Options
    ) throws(CheckpointError) -> ConversionUnit {
        let tensor = view.description
        if let stored = try StoredQuantization(view, in: checkpoint) {
            let matrix = TensorDescription(
                name: tensor.name,
                dtype: stored.dtype.dtype,
                shape: [stored.rowCount, stored.columnCount]
            )
            let isTransposed = checkpoint.moduleKind(of: matrix) == .convolution1D
            return dequantize(stored, to: options.dtype, isTransposed: isTransposed)
        }
        // What a GGUF file packs is written as what its configuration announces.
        let wanted = options.dtype ?? checkpoint.preferredDType.flatMap(FloatDType.init)
        let isPacked = checkpoint.container == .gguf && !view.isPlain
        guard let dtype = wanted, let source = StoredFloats(view),
            isPacked || source.dtype != dtype
        else {
            return ConversionUnit(
                name: tensor.name,
                shape: tensor.shape,
                sourceType: view.storedType,
                sourceByteCount: view.storedByteCount,
                action: .keep(.plain),
                job: CopyJob(view: view),
                outputs: [tensor]
            )
        }
        return ConversionUnit(
            name: tensor.name,
            shape: tensor.shape,
            sourceType: view.storedType,
            sourceByteCount: view.storedByteCount,
            action: .convert(dtype, isPacked ? .unpacked : .plain),
            job: RoundJob(
                name: tensor.name,
                source: source,
                dtype: dtype,
                sourceByteCount: view.storedByteCount
            ),
            outputs: [TensorDescription(name: tensor.name, dtype: dtype.dtype, shape: tensor.shape)]
        )
    }

    private static func dequantize(
        _ stored: StoredQuantization,
        to wanted: FloatDType?,
        isTransposed: Bool
    ) -> ConversionUnit {
        let dtype = wanted ?? stored.dtype
        // A value beyond float16 must show as what it is, not as an infinity.
        let decoded: FloatDType = dtype == .float16 ? .float32 : dtype
        let (rows, columns) = (stored.rowCount, stored.columnCount)
        var source: any FloatSource = DequantizedFloats(stored, as: decoded)
        if isTransposed { source = TransposedFloats(source, rowCount: columns, columnCount: rows) }
        let name = stored.names.weight
        return ConversionUnit(
            name: name,
            shape: [rows, columns],
            sourceType: stored.config.format.rawValue,
            sourceByteCount: stored.storedByteCount,
            action: .dequantize(stored.config, to: dtype, isTransposed: isTransposed),
            job: RoundJob(
                name: name,
                source: source,
                dtype: dtype,
                sourceByteCount: stored.storedByteCount
            ),
            outputs: [
                TensorDescription(
                    name: name,
                    dtype: dtype.dtype,
                    shape: isTransposed ? [columns, rows] : [rows, columns]
                )
            ]
        )
    }
}
