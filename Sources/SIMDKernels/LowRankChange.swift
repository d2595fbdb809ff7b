internal import CSIMDKernels
package import Machine
internal import Tensors

/// A change of a weight `[N, K]` of low rank, `ΔW = (A · B)ᵀ`, in the form in which products read it: factors
/// rounded to bfloat16, and all scaling in `B`.
///
/// Products with it do not round activations, and sum in float32.
public final class LowRankChange: Sendable {
    /// `r`.
    package let rank: Int
    /// `K`.
    package let inputCount: Int
    /// `N`.
    package let outputCount: Int
    /// `A`, `[r, K]`.
    private let a: AlignedBuffer
    /// `B`, `[r, N]`.
    private let b: AlignedBuffer
    /// Added to every row: `N` numbers, or none.
    private let bias: AlignedBuffer

    /// Rounds factors.
    /// - Parameters:
    ///   - a: `[r, K]`.
    ///   - b: `[r, N]`, scaled.
    ///   - rank: `r`, at least 1.
    ///   - bias: `N` numbers, scaled, or none.
    ///   - arena: where the factors are.
    /// - Throws: `AllocationError`.
    package init(
        a: [Float],
        b: [Float],
        rank: Int,
        bias: [Float]?,
        in arena: MemoryArena
    ) throws(AllocationError) {
        precondition(
            rank > 0 && a.count % rank == 0 && b.count % rank == 0
                && bias.map { $0.count * rank == b.count } ?? true,
            "factors of \(a.count) and \(b.count) numbers of rank \(rank)"
        )
        self.rank = rank
        inputCount = a.count / rank
        outputCount = b.count / rank
        self.a = try Self.stored(a, as: .bfloat16, arena)
        self.b = try Self.stored(b, as: .bfloat16, arena)
        self.bias = try Self.stored(bias ?? [], as: .float32, arena)
    }

    private static func stored(
        _ numbers: [Float],
        as element: FloatDType,
        _ arena: MemoryArena
    ) throws(AllocationError) -> AlignedBuffer {
        var buffer = try AlignedBuffer(
            byteCount: element.byteCount * numbers.count,
            in: arena
        )
        numbers.withFloatBytes { numbers in
            buffer.withMutableBytes {
                _ = ConvertFloatKernel.selected.convert(
                    numbers,
                    as: .float32,
                    into: &$0,
                    as: element
                )
            }
        }
        return buffer
    }

    /// Whether it changes a weight of these sizes.
    func hasShape(of panels: PackedPanels) -> Bool {
        panels.rowCount == outputCount && panels.columnCount == inputCount
    }

    /// `inner = x · Aᵀ`.
    @unsafe
    fileprivate func projectionDown(
        _ x: UnsafePointer<Float>?,
        _ rowCount: Int,
        into inner: UnsafeMutablePointer<Float>?
    ) -> DenseProduct {
        unsafe product(a, rank, inputCount, x, rowCount, inner, nil, .selected)
    }

    /// `y += inner · B` (+ bias).
    @unsafe
    fileprivate func projectionUp(
        _ inner: UnsafePointer<Float>?,
        _ rowCount: Int,
        to y: UnsafeMutablePointer<Float>?
    ) -> DenseProduct {
        unsafe product(
            b,
            outputCount,
            rank,
            inner,
            rowCount,
            y,
            bias.byteCount == 0 ? nil : bias.address.assumingMemoryBound(to: Float.self),
            .selectedTransposed
        )
    }

    @unsafe
    private func product(
        _ factor: borrowing AlignedBuffer,
        _ outputCount: Int,
        _ innerCount: Int,
        _ x: UnsafePointer<Float>?,
        _ rowCount: Int,
        _ y: UnsafeMutablePointer<Float>?,
        _ bias: UnsafePointer<Float>?,
        _ kernel: MultiplyDenseKernel
    ) -> DenseProduct {
        let arguments = unsafe qk_multiply_dense_arguments(
            w: factor.address,
            type: FloatDType.bfloat16.cType,
            n: outputCount,
            k: innerCount,
            x: x,
            x_stride: innerCount,
            rows: rowCount,
            y: y,
            y_stride: outputCount,
            bias: bias,
            accumulates: kernel.isTransposed ? 1 : 0,
            first_output: 0,
            end_output: outputCount
        )
        return unsafe DenseProduct(kernel, arguments)
    }
}

/// A change that some rows of activations see.
public struct RowChange: Sendable {
    /// What is added to the weight.
    package let change: LowRankChange
    /// The rows, counted over all of a product.
    package let rows: Range<Int>

    package init(_ change: LowRankChange, rows: Range<Int>) {
        self.change = change
        self.rows = rows
    }

    /// Adds the change's product to the outputs of its rows: `y += x · Aᵀ · B` (+ bias).
    /// - Parameters:
    ///   - x: rows of `K` numbers.
    ///   - y: as many rows of `N` numbers.
    ///   - inner: for the product with `A`; it grows to it.
    ///   - workers: the threads.
    package func addProduct(
        _ x: Span<Float>,
        to y: inout MutableSpan<Float>,
        inner: inout [Float],
        on workers: WorkerPool
    ) {
        precondition(
            x.count >= rows.upperBound * change.inputCount
                && y.count >= rows.upperBound * change.outputCount,
            "\(x.count) activations and \(y.count) outputs for \(rows)"
        )
        if inner.count < rows.count * change.rank {
            inner = [Float](repeating: 0, count: rows.count * change.rank)
        }
        unsafe x.withUnsafeBufferPointer { x in
            unsafe inner.withUnsafeMutableBufferPointer { inner in
                unsafe y.withUnsafeMutableBufferPointer { y in
                    let (down, up) = unsafe projections(
                        x.baseAddress,
                        y.baseAddress,
                        inner.baseAddress
                    )
                    for half in [down, up] {
                        let cuts = half.cuts(for: workers)
                        workers.perform(cuts.count) { piece, _ in half.multiply(cuts[piece]) }
                    }
                }
            }
        }
    }

    /// `x · Aᵀ`, and what then adds its product with `B` to outputs; they live no longer than the change.
    ///
    /// - Parameters:
    ///   - x: all rows of the activations.
    ///   - y: all rows of the outputs.
    ///   - inner: receives the products with `A`, of the change's own rows.
    /// - Returns: both; the second reads what the first writes. Their rows are the change's own.
    @unsafe
    func projections(
        _ x: UnsafePointer<Float>?,
        _ y: UnsafeMutablePointer<Float>?,
        _ inner: UnsafeMutablePointer<Float>?
    ) -> (down: DenseProduct, up: DenseProduct) {
        unsafe (
            change.projectionDown(
                x?.advanced(by: rows.lowerBound * change.inputCount),
                rows.count,
                into: inner
            ),
            change.projectionUp(
                inner,
                rows.count,
                to: y?.advanced(by: rows.lowerBound * change.outputCount)
            )
        )
    }
}
