internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

/// A quantized weight in its own order, for products that dequantize a few rows at a time: any format, any
/// size.
///
/// `.bfloat16` rounds the dequantized weight and the activations, `.int8` the activations.
struct CanonicalWeight: Sendable {
    let matrix: QuantizedMatrix
    /// All scales, restored if they are nested.
    private let scales: [Float]
    private let codec: TileCodec
    private let layout: PackedLayout

    init(_ matrix: QuantizedMatrix) {
        self.matrix = matrix
        scales = matrix.absmax.values
        codec = TileCodec(config: matrix.config, columnCount: matrix.columnCount)
        layout = matrix.layout
    }

    /// Multiplies: `y = x · Wᵀ` (+ bias) (+ y).
    func multiply(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        _ mode: ComputeMode,
        _ options: ProductOptions,
        _ workspace: inout ProductWorkspace,
        _ workers: WorkerPool
    ) throws(CheckpointError) {
        guard matrix.columnCount > 0 else {
            return try multiplyNothing(into: &y, options)
        }
        let rounded = mode.rounded(x, columnCount: matrix.columnCount)
        let tiles = try workspace.tiles(for: workers)
        let dtype = mode.dtypeOfDequantized
        try rounded.withFloatSpan { (x) throws(CheckpointError) in
            try MultiplyDenseKernel.selected.multiply(
                x,
                innerCount: matrix.columnCount,
                as: dtype,
                into: &y,
                outputCount: matrix.rowCount,
                options: options,
                on: workers
            ) { (rows, worker, use) throws(CheckpointError) in
                try tiles.withScratch(of: worker) { (scratch) throws(CheckpointError) in
                    try scratch.reserve(output: byteCount(of: rows, as: dtype))
                    decode(rows, as: dtype, into: &scratch.output, use)
                }
            }
        }
    }

    /// Multiplies with the weight as it lies: `dx = dy · W` (+ dx), some rows of the weight after the other.
    func multiplyTransposed(
        _ dy: Span<Float>,
        into dx: inout MutableSpan<Float>,
        _ mode: ComputeMode,
        _ accumulates: Bool,
        _ workspace: inout ProductWorkspace,
        _ workers: WorkerPool
    ) throws(CheckpointError) {
        let (outputs, inputs) = (matrix.rowCount, matrix.columnCount)
        if !accumulates { for place in dx.indices { dx[place] = 0 } }
        guard outputs > 0, inputs > 0, dy.count > 0 else { return }
        let rounded = mode.rounded(dy, columnCount: outputs)
        let dtype = mode.dtypeOfDequantized
        var options = ProductOptions()
        options.accumulates = true
        // So many rows stay in the caches that the threads share.
        let step = min(outputs, max(16, (1 << 18) / inputs))
        let tiles = try workspace.tiles(for: workers)
        let rowByteCount = inputs * dtype.byteCount
        try workspace.scratch.grow(to: step * rowByteCount, nil)
        for first in stride(from: 0, to: outputs, by: step) {
            let rows = first..<min(first + step, outputs)
            let byteCount = rows.count * rowByteCount
            try workspace.scratch.withMutablePrefix(byteCount) { (bytes) throws(CheckpointError) in
                try workers.perform(writing: &bytes, every: 8 * rowByteCount) {
                    (index, worker, piece) throws(CheckpointError) in
                    let start = first + 8 * index
                    let own = start..<start + piece.byteCount / rowByteCount
                    try tiles.withScratch(of: worker) { (scratch) throws(CheckpointError) in
                        try scratch.reserve(output: self.byteCount(of: own, as: dtype))
                        decode(own, as: dtype, into: &scratch.output) { piece.copy(from: $0) }
                    }
                }
            }
            workspace.scratch.withPrefix(byteCount) { weight in
                rounded.withFloatSpan { dy in
                    MultiplyDenseKernel.selectedTransposed.multiply(
                        dy.extracting(first..<dy.count - outputs + rows.upperBound),
                        rowStride: outputs,
                        with: weight,
                        as: dtype,
                        innerCount: rows.count,
                        into: &dx,
                        options: options,
                        on: workers
                    )
                }
            }
        }
    }

    /// The squared norm of each row, in Double.
    func squaredRowNorms(on workers: WorkerPool) -> [Double] {
        workers.map(matrix.rowCount) { row, _ in
            let range = row * matrix.columnCount..<(row + 1) * matrix.columnCount
            return matrix.decoded(range, scales: scales).reduce(0) { $0 + Double($1) * Double($1) }
        }
    }

    // MARK: Decoding

    /// Whole blocks that some rows have a part of; two codes share a byte, and blocks begin on one.
    private func blocks(of rows: Range<Int>) -> Range<Int> {
        let columns = matrix.columnCount
        let first = rows.lowerBound * columns / layout.scaleStride
        let end = (rows.upperBound * columns - 1) / layout.scaleStride + 1
        return first..<end
    }

    private func byteCount(of rows: Range<Int>, as dtype: FloatDType) -> Int {
        blocks(of: rows).count * layout.scaleStride * dtype.byteCount
    }

    /// Decodes rows, and passes their elements to `use`.
    private func decode(
        _ rows: Range<Int>,
        as dtype: FloatDType,
        into buffer: inout AlignedBuffer,
        _ use: (RawSpan) -> Void
    ) {
        let blocks = blocks(of: rows)
        let start = blocks.lowerBound * layout.scaleStride
        let count = min(blocks.upperBound * layout.scaleStride, layout.elementCount) - start
        let firstByte = layout.codeByteCount(forElements: start)
        let size = dtype.byteCount
        matrix.codes.withRawSpan { codes in
            scales.withFloatSpan { scales in
                buffer.withMutablePrefix(count * size) {
                    codec.dequantize(
                        codes.extracting(
                            firstByte..<firstByte + layout.codeByteCount(forElements: count)
                        ),
                        scales: scales.extracting(blocks),
                        count: count,
                        into: &$0,
                        as: dtype
                    )
                }
            }
        }
        let wanted = rows.lowerBound * matrix.columnCount - start
        let elementCount = rows.count * matrix.columnCount
        buffer.withPrefix(count * size) {
            use($0.extracting(wanted * size..<(wanted + elementCount) * size))
        }
    }

    /// Sums of no terms.
    private func multiplyNothing(
        into y: inout MutableSpan<Float>,
        _ options: ProductOptions
    ) throws(CheckpointError) {
        guard matrix.rowCount > 0 else { return }
        for place in y.indices {
            let old = options.accumulates ? y[place] : 0
            y[place] = old + (options.bias?[place % matrix.rowCount] ?? 0)
        }
    }
}

extension ComputeMode {
    /// What a weight is dequantized to.
    fileprivate var dtypeOfDequantized: FloatDType { self == .bfloat16 ? .bfloat16 : .float32 }

    /// Returns rows of activations or gradients as the mode rounds them.
    fileprivate func rounded(_ rows: Span<Float>, columnCount: Int) -> [Float] {
        var elements = [Float](repeating: 0, count: rows.count)
        elements.withMutableFloatSpan { elements in
            for place in rows.indices { elements[place] = rows[place] }
        }
        guard self == .bfloat16 else {
            round(&elements, columnCount: columnCount)
            return elements
        }
        var narrow = [UInt8](repeating: 0, count: 2 * rows.count)
        let kernel = ConvertFloatKernel.selected
        narrow.withMutableRawSpan { narrow in
            elements.withFloatBytes {
                _ = kernel.convert($0, as: .float32, into: &narrow, as: .bfloat16)
            }
        }
        narrow.withRawSpan { narrow in
            elements.withMutableFloatBytes {
                _ = kernel.convert(narrow, as: .bfloat16, into: &$0, as: .float32)
            }
        }
        return elements
    }
}
