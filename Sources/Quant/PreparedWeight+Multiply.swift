public import CheckpointIO
public import Machine
public import SIMDKernels
public import Tensors

/// Scratch memory for products: kept by whoever makes many of them, so that none allocates.
public struct ProductWorkspace: ~Copyable {
    var scratch: AlignedBuffer
    /// For weights that are dequantized a few rows at a time; nil before the first.
    private var tilesOfWorkers: ScratchPool?

    /// The bytes of the buffer.
    package var byteCount: Int { scratch.byteCount }

    /// Makes an empty workspace; it grows with the first products.
    /// - Throws: `limit.memory`.
    public init() throws(CheckpointError) {
        scratch = try AlignedBuffer.allocate(byteCount: 0)
    }

    /// Buffers for the tiles of some threads.
    mutating func tiles(for workers: WorkerPool) throws(CheckpointError) -> ScratchPool {
        if let tilesOfWorkers, tilesOfWorkers.workerCount >= workers.threadCount {
            return tilesOfWorkers
        }
        let tiles = try ScratchPool(workerCount: workers.threadCount, budget: nil)
        tilesOfWorkers = tiles
        return tiles
    }
}

extension PreparedWeight {
    /// Multiplies: `y = x · Wᵀ` (+ bias) (+ y).
    ///
    /// The result has the same bits for any number of threads. With a packed weight, `.bfloat16`
    /// rounds activations and values of codes and sums in float32; each sum is within `K + 2`
    /// roundings of float32 of the exact one of its operands. `.float32` rounds nothing but the sums.
    /// `.int8` rounds runs of 64 activations to multiples of a 127th of their largest magnitude, and
    /// values of 4-bit codes to multiples of one step; a weight that is not packed keeps its values.
    /// Activations that are outliers (`outlierThreshold`) are left out of their runs and not rounded.
    /// - Parameters:
    ///   - x: `M` rows of `K` activations, row by row.
    ///   - y: receives `M` rows of `N` numbers.
    ///   - mode: how operands are rounded.
    ///   - bias: `N` numbers, added to every row.
    ///   - accumulates: whether the result is added to what `y` holds.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    /// - Precondition: the counts fit.
    public func multiply(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        mode: ComputeMode = .bfloat16,
        bias: [Float]? = nil,
        accumulates: Bool = false,
        workspace: inout ProductWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        let rows = columnCount == 0 ? y.count / max(rowCount, 1) : x.count / columnCount
        precondition(
            x.count == rows * columnCount && y.count == rows * rowCount,
            "\(x.count) activations and \(y.count) outputs for [\(rowCount), \(columnCount)]"
        )
        var options = ProductOptions()
        options.bias = bias
        options.accumulates = accumulates
        options.outlierThreshold = outlierThreshold
        switch storage {
        case .packed(let packed):
            do throws(AllocationError) {
                try packed.multiply(x, rows, into: &y, mode, options, &workspace, workers)
            } catch {
                throw CheckpointError(error)
            }
        case .canonical(let weight):
            try weight.multiply(x, into: &y, mode, options, &workspace, workers)
        }
    }

    /// Returns `x · Wᵀ` (+ bias), `[M, N]`; see `multiply`.
    /// - Parameters:
    ///   - x: `[M, K]`.
    ///   - mode: how operands are rounded.
    ///   - bias: `N` numbers, added to every row.
    ///   - workspace: scratch memory.
    /// - Returns: `[M, N]`.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    /// - Precondition: `x.columnCount == columnCount`.
    public func multiplied(
        by x: Matrix,
        mode: ComputeMode = .bfloat16,
        bias: [Float]? = nil,
        workspace: inout ProductWorkspace
    ) throws(CheckpointError) -> Matrix {
        precondition(
            x.columnCount == columnCount,
            "\(x.columnCount) activations a row for [\(rowCount), \(columnCount)]"
        )
        var y = [Float](repeating: 0, count: x.rowCount * rowCount)
        try x.elements.withFloatSpan { (x) throws(CheckpointError) in
            try y.withMutableFloatSpan { (y) throws(CheckpointError) in
                try multiply(x, into: &y, mode: mode, bias: bias, workspace: &workspace)
            }
        }
        return Matrix(rowCount: x.rowCount, columnCount: rowCount, elements: y)
    }

    /// Multiplies with the weight as it lies: `dx = dy · W` (+ dx), the gradient with respect to the
    /// activations of `multiply`.
    ///
    /// The result has the same bits for any number of threads. Elements of the weight are rounded to
    /// float32, as dequantizing does; `.bfloat16` rounds them and the gradients once more. Each sum is
    /// within `N` roundings of float32 of the exact one of its operands.
    /// - Parameters:
    ///   - dy: `M` rows of `N` gradients, row by row.
    ///   - dx: receives `M` rows of `K` numbers.
    ///   - mode: how operands are rounded.
    ///   - accumulates: whether the result is added to what `dx` holds.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    /// - Precondition: the counts fit, and the mode is not `.int8`, which has no gradients.
    public func multiplyTransposed(
        _ dy: Span<Float>,
        into dx: inout MutableSpan<Float>,
        mode: ComputeMode = .bfloat16,
        accumulates: Bool = false,
        workspace: inout ProductWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        let rows = rowCount == 0 ? dx.count / max(columnCount, 1) : dy.count / rowCount
        precondition(
            dy.count == rows * rowCount && dx.count == rows * columnCount,
            "\(dy.count) gradients and \(dx.count) results for [\(rowCount), \(columnCount)]"
        )
        precondition(mode != .int8, "gradients have no int8 mode")
        switch storage {
        case .packed(let packed):
            do throws(AllocationError) {
                try packed.multiplyTransposed(
                    dy,
                    rows,
                    into: &dx,
                    mode,
                    accumulates,
                    &workspace,
                    workers
                )
            } catch {
                throw CheckpointError(error)
            }
        case .canonical(let weight):
            try weight.multiplyTransposed(dy, into: &dx, mode, accumulates, &workspace, workers)
        }
    }
}

extension PreparedWeight {
    /// The weight as one of several in a product; nil if it is not packed.
    package func term(bias: [Float]?, changes: [RowChange]) -> ProductTerm? {
        guard case .packed(let packed) = storage else { return nil }
        return ProductTerm(
            packed.weight,
            bias: bias,
            outlierThreshold: outlierThreshold,
            changes: changes
        )
    }

    /// Multiplies the same activations with several weights and their changes, as one job.
    /// - Parameters:
    ///   - x: `M` rows of `K` activations, row by row.
    ///   - terms: weights that share rows.
    ///   - y: receives the products, one behind the other: `M` rows of the first `N`, and so on.
    ///   - accumulates: whether they are added to what `y` holds.
    ///   - mode: how operands are rounded.
    ///   - inner: for the products with changes; it grows to them.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    package static func multiply(
        _ x: Span<Float>,
        with terms: [ProductTerm],
        into y: inout MutableSpan<Float>,
        accumulates: Bool,
        mode: ComputeMode,
        inner: inout [Float],
        workspace: inout ProductWorkspace,
        on workers: WorkerPool
    ) throws(CheckpointError) {
        guard let panels = terms.first?.weight.panels else { return }
        do throws(AllocationError) {
            try MultiplyKernel.selected(panels.width, mode).multiply(
                x,
                rowCount: x.count / panels.columnCount,
                with: terms,
                into: &y,
                accumulates: accumulates,
                inner: &inner,
                scratch: &workspace.scratch,
                on: workers
            )
        } catch {
            throw CheckpointError(error)
        }
    }
}

extension PreparedWeight.PackedCodes {
    fileprivate func multiply(
        _ x: Span<Float>,
        _ rows: Int,
        into y: inout MutableSpan<Float>,
        _ mode: ComputeMode,
        _ options: ProductOptions,
        _ workspace: inout ProductWorkspace,
        _ workers: WorkerPool
    ) throws(AllocationError) {
        let kernel = MultiplyKernel.selected(panels.width, mode)
        try weight.codes.withBytes { (codes) throws(AllocationError) in
            try weight.scales.withFloats(panels.scaleCount) { (scales) throws(AllocationError) in
                try kernel.multiply(
                    x,
                    rowCount: rows,
                    with: panels,
                    codes: codes,
                    scales: scales,
                    values: weight.values,
                    into: &y,
                    options: options,
                    scratch: &workspace.scratch,
                    on: workers
                )
            }
        }
    }

    fileprivate func multiplyTransposed(
        _ dy: Span<Float>,
        _ rows: Int,
        into dx: inout MutableSpan<Float>,
        _ mode: ComputeMode,
        _ accumulates: Bool,
        _ workspace: inout ProductWorkspace,
        _ workers: WorkerPool
    ) throws(AllocationError) {
        let kernel = MultiplyTransposedKernel.selected(panels.width, mode)
        try weight.codes.withBytes { (codes) throws(AllocationError) in
            try weight.scales.withFloats(panels.scaleCount) { (scales) throws(AllocationError) in
                try kernel.multiply(
                    dy,
                    rowCount: rows,
                    with: panels,
                    codes: codes,
                    scales: scales,
                    values: weight.values,
                    into: &dx,
                    accumulates: accumulates,
                    scratch: &workspace.scratch,
                    on: workers
                )
            }
        }
    }
}
