internal import CheckpointIO
internal import Machine
internal import Tensors

/// Quantizes a weight to 8-bit blocks with the signed dynamic map, in this package's own layout.
struct Quantize8BitJob: WritingJob {
    let source: any FloatSource
    let names: QuantizedTensorNames
    let rowCount: Int
    let columnCount: Int
    let blockSize: BlockSize
    let sourceByteCount: Int
    let measuresErrors: Bool

    private var codec: TileCodec {
        TileCodec(
            config: QuantizationConfig(.int8Blockwise, blockSize: blockSize),
            columnCount: columnCount
        )
    }
    var name: Name { names.weight }
    var elementCount: Int { source.elementCount }

    /// The tensors that are written.
    var outputs: [TensorDescription] {
        [
            TensorDescription(name: name, dtype: .uint8, shape: [rowCount, columnCount]),
            TensorDescription(
                name: names.blockScales,
                dtype: .float32,
                shape: [blockCount(elementCount)]
            ),
            TensorDescription(name: names.blockState, dtype: .uint8, shape: [state.count]),
        ]
    }

    private var state: [UInt8] {
        BlockwiseInt8State(
            blockSize: blockSize,
            dtype: source.dtype,
            rowCount: rowCount,
            columnCount: columnCount
        ).text
    }

    private func blockCount(_ count: Int) -> Int {
        count / blockSize.rawValue + (count % blockSize.rawValue == 0 ? 0 : 1)
    }

    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch,
        writer: SafetensorsWriter
    ) throws(CheckpointError) -> TileResult {
        let scaleCount = blockCount(range.count)
        let inputByteCount = range.count * source.dtype.byteCount
        try scratch.reserve(
            input: inputByteCount,
            output: range.count,
            scales: scaleCount,
            decoded: measuresErrors ? range.count : 0
        )
        try scratch.input.withMutablePrefix(inputByteCount) {
            (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try source.read(range, into: &bytes)
        }
        quantize(range.count, scaleCount, scratch.input, &scratch.output, &scratch.scales)
        try scratch.scales.withFloats(scaleCount) { (scales) throws(CheckpointError) in
            if !scales.isFinite, let error = try FloatScan(of: source).nonFiniteError() {
                throw error
            }
            let offset = 4 * (range.lowerBound / blockSize.rawValue)
            try unsafe writer.write(scales.bytes, of: names.blockScales, at: offset)
        }
        try scratch.output.withPrefix(range.count) { (codes) throws(CheckpointError) in
            try writer.write(codes, of: name, at: range.lowerBound)
        }
        guard measuresErrors else { return TileResult() }
        decode(range.count, scaleCount, scratch.output, scratch.scales, &scratch.decoded)
        return TileResult(
            distortion: TileDistortion.measure(
                scratch.input,
                byteCount: inputByteCount,
                as: source.dtype,
                decoded: scratch.decoded,
                codes: scratch.output,
                codeByteCount: range.count,
                is4Bit: false
            )
        )
    }

    func finish(phase: Int, writer: SafetensorsWriter) throws(CheckpointError) {
        try writer.write(state, of: names.blockState)
    }

    private func quantize(
        _ count: Int,
        _ scaleCount: Int,
        _ input: borrowing AlignedBuffer,
        _ codes: inout AlignedBuffer,
        _ scales: inout AlignedBuffer
    ) {
        input.withPrefix(count * source.dtype.byteCount) { input in
            codes.withMutablePrefix(count) { codes in
                scales.withMutableFloats(scaleCount) { scales in
                    codec.quantize(input, as: source.dtype, codes: &codes, scales: &scales)
                }
            }
        }
    }

    private func decode(
        _ count: Int,
        _ scaleCount: Int,
        _ codes: borrowing AlignedBuffer,
        _ scales: borrowing AlignedBuffer,
        _ decoded: inout AlignedBuffer
    ) {
        codes.withPrefix(count) { codes in
            scales.withFloats(scaleCount) { scales in
                decoded.withMutablePrefix(4 * count) { decoded in
                    codec.dequantize(
                        codes,
                        scales: scales,
                        count: count,
                        into: &decoded,
                        as: .float32
                    )
                }
            }
        }
    }
}
