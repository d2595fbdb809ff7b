package import CheckpointIO
package import Tensors

/// A quantized weight in a checkpoint with everything that belongs to it.
///
/// Types, shapes, sizes, tables and the state are validated when it is made; the values of scales
/// when they are read.
package struct StoredQuantization: Sendable {
    /// Where scales are.
    enum Scales: Sendable {
        /// One float32 for each block or row.
        case float32(TensorView)
        /// Nested.
        case nested(codes: TensorView, absmax: TensorView, offset: Float)
    }

    /// What it is made of.
    package let weight: StoredWeight
    /// The codes.
    let codes: TensorView
    let scales: Scales
    /// All tensors beside the weight.
    package let sideTensors: [TensorView]

    /// The names of its tensors.
    package var names: QuantizedTensorNames { weight.names }
    /// How it is quantized; a scale that was searched for looks like any other.
    package var config: QuantizationConfig { weight.config }
    /// The type of the weight before quantization.
    package var dtype: FloatDType { weight.dtype }
    /// `N`.
    package var rowCount: Int { weight.rowCount }
    /// `K`.
    package var columnCount: Int { weight.columnCount }
    /// Sizes and places of codes and scales.
    package var layout: PackedLayout { weight.layout }

    /// The bytes of all its tensors.
    package var storedByteCount: Int {
        sideTensors.reduce(codes.storedByteCount) { $0 + $1.storedByteCount }
    }

    /// Collects and validates what belongs to a weight; nil if nothing beside it says that it is
    /// quantized.
    /// - Parameters:
    ///   - weight: a tensor that may be quantized.
    ///   - checkpoint: where everything else is looked for.
    /// - Throws: `quant.state`, `quant.shape`, `quant.map`, `quant.absmax`, `quant.unsupported` or
    ///   `config.shape`, with the file and the tensor at fault.
    package init?(_ weight: TensorView, in checkpoint: Checkpoint) throws(CheckpointError) {
        let names = QuantizedTensorNames(weight: weight.description.name)
        let parts = StoredParts(names: names, checkpoint: checkpoint)
        do throws(CheckpointError) {
            if parts.hasAny(names.fourBitSideNames) {
                try self.init(fourBit: weight, parts)
            } else if parts.hasAny([names.rowScales, names.weightFormat]) {
                try self.init(rows: weight, parts, checkpoint)
            } else if parts.hasAny([names.blockScales, names.blockState]) {
                try self.init(blocks: weight, parts)
            } else {
                return nil
            }
        } catch {
            throw error.ofTensor(weight.description.name).inFile(weight.fileName)
        }
        if let module = checkpoint.model?.module(owning: names.weight),
            module.matrixShape != [rowCount, columnCount]
        {
            throw CheckpointError(
                .configShape,
                "the shape is not what config.json implies",
                file: weight.fileName,
                tensor: names.weight,
                expected: "\(module.matrixShape)",
                found: "\([rowCount, columnCount])"
            )
        }
    }

    // MARK: 4 bits

    private init(fourBit codes: TensorView, _ parts: StoredParts) throws(CheckpointError) {
        let names = parts.names
        let states = [QuantizationFormat.nf4, .fp4].compactMap { format in
            parts[names.state(format)].map { (format: format, view: $0) }
        }
        guard let (format, stateView) = states.first, states.count == 1 else {
            throw CheckpointError(
                .quantState,
                states.isEmpty
                    ? "the state that belongs to the codes is missing"
                    : "two states for one weight",
                expected: "\(names.state(.nf4)) or …fp4",
                found: states.isEmpty ? "neither" : "both"
            )
        }
        guard let absmax = parts[names.absmax] else {
            throw CheckpointError(.quantAbsmax, "the scales are missing", tensor: names.absmax)
        }
        let isNested = absmax.description.dtype == .uint8
        let state: QuantizationState
        do throws(CheckpointError) {
            let text = try StoredParts.text(stateView)
            state = try QuantizationState(parsing: text, format: format, isNested: isNested)
        } catch {
            throw error.ofTensor(stateView.description.name).inFile(stateView.fileName)
        }
        let config = QuantizationConfig(
            format,
            blockSize: state.blockSize,
            absmax: isNested ? .doubleQuantized : .float32
        )
        let weight = StoredWeight(
            names: names,
            config: config,
            dtype: state.dtype,
            rowCount: state.rowCount,
            columnCount: state.columnCount
        )
        let byteCount = weight.layout.codeByteCount
        // Only the bytes count: old files hold them flat, or as another type.
        guard codes.description.byteCount == byteCount else {
            throw CheckpointError(
                .quantShape,
                "the codes do not fill the shape \([state.rowCount, state.columnCount])",
                expected: "\(byteCount) bytes",
                found: "\(codes.description.byteCount) bytes"
            )
        }
        try parts.requireMap(names.quantMap, format.codebook?.values ?? [])
        if let offset = state.nestedOffset {
            let scaleCodes = try parts.require(.scales, of: weight)
            let nested = try parts.require(.nestedScales, of: weight)
            try parts.requireMap(names.nestedQuantMap, Codebook.dynamicSigned.values)
            scales = .nested(codes: scaleCodes, absmax: nested, offset: offset)
        } else {
            let plain = try parts.require(.scales, of: weight)
            for name in [names.nestedAbsmax, names.nestedQuantMap] where parts[name] != nil {
                throw CheckpointError(
                    .quantAbsmax,
                    "a part of nested scales, and these are not",
                    tensor: name
                )
            }
            scales = .float32(plain)
        }
        self.weight = weight
        self.codes = codes
        sideTensors = parts.views(names.fourBitSideNames)
    }

    // MARK: 8 bits

    private init(
        rows codes: TensorView,
        _ parts: StoredParts,
        _ checkpoint: Checkpoint
    ) throws(CheckpointError) {
        let names = parts.names
        let shape = codes.description.shape
        guard codes.description.dtype == .int8, shape.count == 2, !shape.contains(0) else {
            throw CheckpointError(
                .quantShape,
                "codes of another type or shape beside the scales of rows",
                expected: "I8 [N, K]",
                found: "\(codes.description.dtype.rawValue) \(shape)"
            )
        }
        if let format = parts[names.weightFormat] {
            guard format.description.dtype == .uint8, format.description.elementCount == 1 else {
                throw CheckpointError(
                    .quantState,
                    "the format of the weight is not one byte",
                    tensor: names.weightFormat
                )
            }
            let code = try StoredParts.text(format)
            guard code == [0] else {
                throw CheckpointError(
                    .quantUnsupported,
                    "codes in the order of a GPU, which is not written any more",
                    tensor: names.weightFormat,
                    expected: "0",
                    found: "\(code[0])"
                )
            }
        }
        weight = StoredWeight(
            names: names,
            config: QuantizationConfig(.int8Vectorwise),
            dtype: checkpoint.declaredDType ?? .float16,
            rowCount: shape[0],
            columnCount: shape[1]
        )
        scales = .float32(try parts.require(.scales, of: weight))
        self.codes = codes
        sideTensors = parts.views([names.rowScales, names.weightFormat])
    }

    private init(blocks codes: TensorView, _ parts: StoredParts) throws(CheckpointError) {
        let names = parts.names
        guard let stateView = parts[names.blockState] else {
            throw CheckpointError(.quantState, "the state is missing", tensor: names.blockState)
        }
        let state: BlockwiseInt8State
        do throws(CheckpointError) {
            state = try BlockwiseInt8State(parsing: StoredParts.text(stateView))
        } catch {
            throw error.ofTensor(stateView.description.name).inFile(stateView.fileName)
        }
        guard codes.description.dtype == .uint8,
            codes.description.shape == [state.rowCount, state.columnCount]
        else {
            throw CheckpointError(
                .quantShape,
                "codes of another type or shape than the state says",
                expected: "U8 \([state.rowCount, state.columnCount])",
                found: "\(codes.description.dtype.rawValue) \(codes.description.shape)"
            )
        }
        weight = StoredWeight(
            names: names,
            config: QuantizationConfig(.int8Blockwise, blockSize: state.blockSize),
            dtype: state.dtype,
            rowCount: state.rowCount,
            columnCount: state.columnCount
        )
        scales = .float32(try parts.require(.scales, of: weight))
        self.codes = codes
        sideTensors = parts.views([names.blockScales, names.blockState])
    }
}

extension Checkpoint {
    /// The type of the model as `config.json` gives it.
    package var declaredDType: FloatDType? {
        for key: Name in ["dtype", "torch_dtype"] {
            if case .string(let name)? = configuration?[key] { return FloatDType(rawValue: name) }
        }
        return nil
    }
}

extension QuantizedTensorNames {
    /// The names of everything that can stand beside 4-bit codes.
    var fourBitSideNames: [Name] {
        [absmax, quantMap, nestedAbsmax, nestedQuantMap, state(.nf4), state(.fp4)]
    }
}
