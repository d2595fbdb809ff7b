internal import CheckpointIO
internal import Machine
internal import Tensors

/// Quantizes a weight to any format and writes it as `StoredWeight` describes.
///
/// Plain scales are written with the codes, in one pass. Nested scales need the mean of all: they
/// are collected in the first pass. If they were searched for, the second one chooses the codes, for
/// the scales as the file restores them.
struct QuantizeJob: WritingJob {
    let source: any FloatSource
    let weight: StoredWeight
    let sourceByteCount: Int
    let measuresErrors: Bool
    private let codec: TileCodec
    private let layout: PackedLayout
    /// The scales, if they are nested.
    private let nested: SharedScales?

    /// - Precondition: the source has as many elements as the weight; those may have another type than
    ///   the one that is recorded, so that nothing is rounded before it is quantized.
    init(
        _ source: any FloatSource,
        as weight: StoredWeight,
        sourceByteCount: Int,
        measuresErrors: Bool
    ) {
        let layout = weight.layout
        precondition(
            source.elementCount == layout.elementCount,
            "\(source.elementCount) elements for [\(weight.rowCount), \(weight.columnCount)]"
        )
        self.source = source
        self.weight = weight
        self.sourceByteCount = sourceByteCount
        self.measuresErrors = measuresErrors
        self.layout = layout
        codec = TileCodec(config: weight.config, columnCount: weight.columnCount)
        nested =
            weight.config.absmax == .doubleQuantized ? SharedScales(count: layout.scaleCount) : nil
    }

    var name: Name { weight.names.weight }
    var elementCount: Int { source.elementCount }
    var tileElementCount: Int { layout.tileElementCount }
    var phaseCount: Int { nested != nil && (choosesCodesLast || measuresErrors) ? 2 : 1 }
    private var choosesCodesLast: Bool { nested != nil && weight.config.scale == .search }

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
            try source.read(range, into: &bytes, &scratch.reading)
        }
        let firstScale = range.lowerBound / layout.scaleStride
        let firstCodeByte = layout.codeByteCount(forElements: range.lowerBound)
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
        if phase == 0 ? !choosesCodesLast : choosesCodesLast {
            if weight.config.scale == .search {
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
        for role in weight.roles {
            guard let bytes = weight.constant(role) else { continue }
            try writer.write(bytes, of: weight.name(of: role))
        }
        guard let nested else { return }
        let scales = DoubleQuantizedAbsmax(quantizing: nested.take())
        try writer.write(scales.codes, of: weight.name(of: .scales))
        try writer.write(scales.absmax.littleEndianBytes, of: weight.name(of: .nestedScales))
        writer.setLateTensor(
            weight.name(of: .state),
            to: weight.state(nestedOffset: scales.offset)
        )
        if phaseCount == 2 { nested.replace(with: scales.restored()) }
    }

    // MARK: Steps of a tile

    private struct Sizes {
        let count: Int
        let inputByteCount: Int
        let codeByteCount: Int
        let scaleCount: Int
    }

    /// Finds the scales, and unless they are searched for the codes.
    /// - Throws: `num.nonFinite`; `num.overflow` for LLM.int8, which rounds to float16.
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
        guard !scales.withFloats(sizes.scaleCount, { $0.isFinite }) else { return }
        let scan = FloatScan(of: source)
        if let error = try scan.nonFiniteError() { throw error }
        if weight.config.format == .int8Vectorwise { throw try scan.overflowError(to: .float16) }
    }

    private func store(
        _ scales: Span<Float>,
        from firstScale: Int,
        _ writer: SafetensorsWriter
    ) throws(CheckpointError) {
        if let nested {
            nested.set(scales, from: firstScale)
        } else {
            try unsafe writer.write(scales.bytes, of: weight.name(of: .scales), at: 4 * firstScale)
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
            is4Bit: weight.config.format.is4Bit
        )
    }
}

extension PackedLayout {
    /// The elements of a tile of work: whole blocks or rows, and as many as keep a worker's buffers
    /// in its second-level cache.
    var tileElementCount: Int { max(1, TileSize.usual / scaleStride) * scaleStride }
}
