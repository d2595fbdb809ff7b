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
    private let layout: PackedLayout

    init(_ matrix: QuantizedMatrix) {
        self.matrix = matrix
        scales = matrix.absmax.values
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
        guard matrix.columnCount > 0 else { return multiplyNothing(into: &y, options) }
        let rounded = mode.rounded(
            x,
            columnCount: matrix.columnCount,
            outlierThreshold: options.outlierThreshold
        )
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
                try decode(rows, as: dtype, in: tiles, of: worker, use)
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
                    try decode(own, as: dtype, in: tiles, of: worker) { piece.copy(from: $0) }
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
            matrix.decoded(elements(row..<row + 1), scales: scales)
                .reduce(0) { $0 + Double($1) * Double($1) }
        }
    }

    // MARK: Decoding

    private func elements(_ rows: Range<Int>) -> Range<Int> {
        rows.lowerBound * matrix.columnCount..<rows.upperBound * matrix.columnCount
    }

    /// Decodes rows in a worker's memory, and passes their elements to `use`.
    private func decode(
        _ rows: Range<Int>,
        as dtype: FloatDType,
        in tiles: ScratchPool,
        of worker: Int,
        _ use: (RawSpan) -> Void
    ) throws(CheckpointError) {
        let wanted = elements(rows)
        let blocks = layout.wholeBlocks(of: wanted)
        let size = dtype.byteCount
        let start = (wanted.lowerBound - blocks.lowerBound) * size
        try tiles.withScratch(of: worker) { (scratch) throws(CheckpointError) in
            try scratch.reserve(output: blocks.count * size)
            scales.withFloatSpan { scales in
                scratch.output.withMutablePrefix(blocks.count * size) {
                    matrix.decode(blocks, scales: scales, into: &$0, as: dtype)
                }
            }
            scratch.output.withPrefix(blocks.count * size) {
                use($0.extracting(start..<start + wanted.count * size))
            }
        }
    }

    /// Sums of no terms.
    private func multiplyNothing(into y: inout MutableSpan<Float>, _ options: ProductOptions) {
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
    fileprivate func rounded(
        _ rows: Span<Float>,
        columnCount: Int,
        outlierThreshold: Float? = nil
    ) -> [Float] {
        var elements = [Float](repeating: 0, count: rows.count)
        elements.withMutableFloatSpan { elements in
            for place in rows.indices { elements[place] = rows[place] }
        }
        round(&elements, columnCount: columnCount, outlierThreshold: outlierThreshold)
        return elements
    }
}
