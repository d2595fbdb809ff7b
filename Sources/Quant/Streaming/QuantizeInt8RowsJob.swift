internal import CheckpointIO
internal import Machine
internal import Tensors

/// Quantizes a weight to LLM.int8: a scale for each row, in bitsandbytes' layout.
struct QuantizeInt8RowsJob: WritingJob {
    let source: any FloatSource
    let names: QuantizedTensorNames
    let rowCount: Int
    let columnCount: Int
    let sourceByteCount: Int
    let measuresErrors: Bool

    private var codec: TileCodec {
        TileCodec(
            config: QuantizationConfig(.int8Vectorwise),
            columnCount: columnCount
        )
    }
    var name: Name { names.weight }
    var elementCount: Int { source.elementCount }
    /// Whole rows.
    var tileElementCount: Int {
        max(1, TileSize.usual / max(columnCount, 1)) * max(columnCount, 1)
    }

    /// The tensors that are written.
    var outputs: [TensorDescription] {
        [
            TensorDescription(name: name, dtype: .int8, shape: [rowCount, columnCount]),
            TensorDescription(name: names.rowScales, dtype: .float32, shape: [rowCount]),
            TensorDescription(name: names.weightFormat, dtype: .uint8, shape: []),
        ]
    }

    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch,
        writer: SafetensorsWriter
    ) throws(CheckpointError) -> TileResult {
        let rowCount = range.count / columnCount
        let inputByteCount = range.count * source.dtype.byteCount
        try scratch.reserve(
            input: inputByteCount,
            output: range.count,
            scales: rowCount,
            decoded: measuresErrors ? range.count : 0
        )
        try scratch.input.withMutablePrefix(inputByteCount) {
            (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try source.read(range, into: &bytes)
        }
        quantize(range.count, rowCount, scratch.input, &scratch.output, &scratch.scales)
        try scratch.scales.withFloats(rowCount) { (scales) throws(CheckpointError) in
            guard scales.isFinite else {
                let scan = FloatScan(of: source)
                // Finite elements can be infinite in float16.
                if let error = try scan.nonFiniteError() { throw error }
                throw try scan.overflowError(to: .float16)
            }
            let offset = 4 * (range.lowerBound / columnCount)
            try unsafe writer.write(scales.bytes, of: names.rowScales, at: offset)
        }
        try scratch.output.withPrefix(range.count) { (codes) throws(CheckpointError) in
            try writer.write(codes, of: name, at: range.lowerBound)
        }
        guard measuresErrors else { return TileResult() }
        decode(range.count, rowCount, scratch.output, scratch.scales, &scratch.decoded)
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
        // 0 means row by row; the other layouts are gone.
        try writer.write([0], of: names.weightFormat)
    }

    private func quantize(
        _ count: Int,
        _ rowCount: Int,
        _ input: borrowing AlignedBuffer,
        _ codes: inout AlignedBuffer,
        _ scales: inout AlignedBuffer
    ) {
        input.withPrefix(count * source.dtype.byteCount) { input in
            codes.withMutablePrefix(count) { codes in
                scales.withMutableFloats(rowCount) { scales in
                    codec.quantize(input, as: source.dtype, codes: &codes, scales: &scales)
                }
            }
        }
    }

    private func decode(
        _ count: Int,
        _ rowCount: Int,
        _ codes: borrowing AlignedBuffer,
        _ scales: borrowing AlignedBuffer,
        _ decoded: inout AlignedBuffer
    ) {
        codes.withPrefix(count) { codes in
            scales.withFloats(rowCount) { scales in
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
