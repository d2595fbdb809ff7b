internal import CheckpointIO
internal import Machine
internal import Tensors

/// Quantizes a weight to 4 bits, in bitsandbytes' layout.
///
/// Plain scales are written with the codes. Nested scales need the mean of all: they are collected
/// in the first phase. If they were searched for, the second one chooses the codes, for the scales
/// as the file restores them.
struct Quantize4BitJob: WritingJob {
    let source: any FloatSource
    let config: QuantizationConfig
    private let codec: TileCodec
    let names: QuantizedTensorNames
    let state: QuantizationState
    let sourceByteCount: Int
    let measuresErrors: Bool
    private let layout: PackedLayout
    /// The scales, if they are nested.
    private let nested: SharedScales?

    /// - Precondition: `config` has a 4-bit format.
    init(
        _ source: any FloatSource,
        names: QuantizedTensorNames,
        rowCount: Int,
        columnCount: Int,
        config: QuantizationConfig,
        sourceByteCount: Int,
        measuresErrors: Bool
    ) {
        precondition(config.format.is4Bit, "\(config.format) has more than 4 bits")
        self.source = source
        self.config = config
        codec = TileCodec(config: config, columnCount: columnCount)
        self.names = names
        self.sourceByteCount = sourceByteCount
        self.measuresErrors = measuresErrors
        layout = PackedLayout(rowCount: rowCount, columnCount: columnCount, config: config)
        let isNested = config.absmax == .doubleQuantized
        state = QuantizationState(
            format: config.format,
            blockSize: config.blockSize,
            dtype: source.dtype,
            rowCount: rowCount,
            columnCount: columnCount,
            nestedOffset: isNested ? 0 : nil
        )
        nested = isNested ? SharedScales(count: layout.scaleCount) : nil
    }

    var name: Name { names.weight }
    var elementCount: Int { source.elementCount }
    var phaseCount: Int { nested != nil && (choosesCodesLast || measuresErrors) ? 2 : 1 }
    private var choosesCodesLast: Bool { nested != nil && config.scale == .search }

    // MARK: What is written

    /// The tensors of a fixed length.
    var outputs: [TensorDescription] {
        let scaleCount = layout.scaleCount
        var outputs = [
            TensorDescription(name: name, dtype: .uint8, shape: [layout.codeByteCount, 1]),
            TensorDescription(
                name: names.absmax,
                dtype: nested == nil ? .float32 : .uint8,
                shape: [scaleCount]
            ),
            TensorDescription(name: names.quantMap, dtype: .float32, shape: [16]),
        ]
        if nested != nil {
            let count = DoubleQuantizedAbsmax.blockCount(of: scaleCount)
            outputs += [
                TensorDescription(name: names.nestedAbsmax, dtype: .float32, shape: [count]),
                TensorDescription(name: names.nestedQuantMap, dtype: .float32, shape: [256]),
            ]
        } else {
            outputs.append(
                TensorDescription(name: stateName, dtype: .uint8, shape: [state.text.count])
            )
        }
        return outputs
    }

    /// The state, if its length depends on the mean of the scales.
    var lateOutputs: [SafetensorsLayout.LateTensor] {
        nested == nil
            ? []
            : [.init(name: stateName, maximumByteCount: state.maximumByteCount)]
    }

    private var stateName: Name { names.state(config.format) }

    // MARK: Work

    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch,
        writer: SafetensorsWriter
    ) throws(CheckpointError) -> TileResult {
        let sizes = Sizes(
            count: range.count,
            inputByteCount: range.count * source.dtype.byteCount,
            codeByteCount: layout.codeByteCount(forElements: range.count),
            scaleCount: layout.scaleCount(forElements: range.count)
        )
        try scratch.reserve(
            input: sizes.inputByteCount,
            output: sizes.codeByteCount,
            scales: sizes.scaleCount,
            decoded: measuresErrors ? range.count : 0
        )
        try scratch.input.withMutablePrefix(sizes.inputByteCount) {
            (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try source.read(range, into: &bytes)
        }
        let firstScale = range.lowerBound / layout.scaleStride
        let firstCodeByte = range.lowerBound / 2
        if phase == 0 {
            try findScales(sizes, scratch.input, &scratch.output, &scratch.scales)
            try scratch.scales.withFloats(sizes.scaleCount) { (scales) throws(CheckpointError) in
                try store(scales, from: firstScale, writer)
            }
        } else {
            scratch.scales.withMutableFloats(sizes.scaleCount) { scales in
                nested?.copy(from: firstScale, into: &scales)
            }
        }
        if choosesCodesLast == (phase == 1) {
            if config.scale == .search {
                chooseCodes(sizes, scratch.input, scratch.scales, &scratch.output)
            }
            try scratch.output.withPrefix(sizes.codeByteCount) { (codes) throws(CheckpointError) in
                try writer.write(codes, of: name, at: firstCodeByte)
            }
        } else if phase == 1 {
            try readBack(sizes, from: firstCodeByte, writer, &scratch.output)
        }
        guard measuresErrors, phase == phaseCount - 1 else { return TileResult() }
        return TileResult(
            distortion: measure(
                sizes,
                scratch.input,
                scratch.output,
                scratch.scales,
                &scratch.decoded
            )
        )
    }

    func finish(phase: Int, writer: SafetensorsWriter) throws(CheckpointError) {
        guard phase == 0 else {
            nested?.replace(with: [])
            return
        }
        let map = config.format.codebook?.values ?? []
        try writer.write(map.littleEndianBytes, of: names.quantMap)
        guard let nested else {
            try writer.write(state.text, of: stateName)
            return
        }
        let scales = DoubleQuantizedAbsmax(quantizing: nested.take())
        try writer.write(scales.codes, of: names.absmax)
        try writer.write(scales.absmax.littleEndianBytes, of: names.nestedAbsmax)
        try writer.write(
            Codebook.dynamicSigned.values.littleEndianBytes,
            of: names.nestedQuantMap
        )
        var state = state
        state.nestedOffset = scales.offset
        writer.setLateTensor(stateName, to: state.text)
        if phaseCount == 2 { nested.replace(with: scales.restored()) }
    }

    // MARK: Steps of a tile

    private struct Sizes {
        let count: Int
        let inputByteCount: Int
        let codeByteCount: Int
        let scaleCount: Int
    }

    /// Finds the scales, and with plain ones the codes.
    /// - Throws: `num.nonFinite`.
    private func findScales(
        _ sizes: Sizes,
        _ input: borrowing AlignedBuffer,
        _ codes: inout AlignedBuffer,
        _ scales: inout AlignedBuffer
    ) throws(CheckpointError) {
        input.withPrefix(sizes.inputByteCount) { input in
            scales.withMutableFloats(sizes.scaleCount) { scales in
                codes.withMutablePrefix(sizes.codeByteCount) { codes in
                    codec.quantize(input, as: source.dtype, codes: &codes, scales: &scales)
                }
            }
        }
        let isFinite = scales.withFloats(sizes.scaleCount) { $0.isFinite }
        if !isFinite, let error = try FloatScan(of: source).nonFiniteError() { throw error }
    }

    private func store(
        _ scales: Span<Float>,
        from firstScale: Int,
        _ writer: SafetensorsWriter
    ) throws(CheckpointError) {
        if let nested {
            nested.set(scales, from: firstScale)
        } else {
            try unsafe writer.write(scales.bytes, of: names.absmax, at: 4 * firstScale)
        }
    }

    private func chooseCodes(
        _ sizes: Sizes,
        _ input: borrowing AlignedBuffer,
        _ scales: borrowing AlignedBuffer,
        _ codes: inout AlignedBuffer
    ) {
        input.withPrefix(sizes.inputByteCount) { input in
            scales.withFloats(sizes.scaleCount) { scales in
                codes.withMutablePrefix(sizes.codeByteCount) { codes in
                    codec.chooseCodes(input, as: source.dtype, scales: scales, codes: &codes)
                }
            }
        }
    }

    private func readBack(
        _ sizes: Sizes,
        from firstCodeByte: Int,
        _ writer: SafetensorsWriter,
        _ codes: inout AlignedBuffer
    ) throws(CheckpointError) {
        try codes.withMutablePrefix(sizes.codeByteCount) {
            (codes: inout MutableRawSpan) throws(CheckpointError) in
            try writer.read(of: name, at: firstCodeByte, into: &codes)
        }
    }

    private func measure(
        _ sizes: Sizes,
        _ input: borrowing AlignedBuffer,
        _ codes: borrowing AlignedBuffer,
        _ scales: borrowing AlignedBuffer,
        _ decoded: inout AlignedBuffer
    ) -> TileDistortion {
        codes.withPrefix(sizes.codeByteCount) { codes in
            scales.withFloats(sizes.scaleCount) { scales in
                decoded.withMutablePrefix(4 * sizes.count) { decoded in
                    codec.dequantize(
                        codes,
                        scales: scales,
                        count: sizes.count,
                        into: &decoded,
                        as: .float32
                    )
                }
            }
        }
        return TileDistortion.measure(
            input,
            byteCount: sizes.inputByteCount,
            as: source.dtype,
            decoded: decoded,
            codes: codes,
            codeByteCount: sizes.codeByteCount,
            is4Bit: true
        )
    }
}
