internal import CSIMDKernels
package import Machine

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
    /// Added to every row; `N` numbers, or none.
    private let bias: [Float]?

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
        self.a = try Self.rounded(a, arena)
        self.b = try Self.rounded(b, arena)
        self.bias = bias
    }

    private static func rounded(
        _ numbers: [Float],
        _ arena: MemoryArena
    ) throws(AllocationError) -> AlignedBuffer {
        var buffer = try AlignedBuffer(byteCount: 2 * numbers.count, in: arena)
        numbers.withFloatBytes { numbers in
            buffer.withMutableBytes {
                _ = ConvertFloatKernel.selected.convert(
                    numbers,
                    as: .float32,
                    into: &$0,
                    as: .bfloat16
                )
            }
        }
        return buffer
    }

    /// Whether it changes a weight of these sizes.
    func hasShape(of panels: PackedPanels) -> Bool {
        panels.rowCount == outputCount && panels.columnCount == inputCount
    }

    /// A product with `A`, or one with `B` that is added to what is there; it gets its weight with each piece.
    @unsafe
    private func product(
        _ outputCount: Int,
        _ innerCount: Int,
        _ x: UnsafePointer<Float>?,
        _ rowCount: Int,
        _ y: UnsafeMutablePointer<Float>?,
        isTransposed: Bool
    ) -> DenseProduct {
        let arguments = unsafe qk_multiply_dense_arguments(
            w: nil,
            type: FloatElement.bfloat16.cType,
            n: outputCount,
            k: innerCount,
            x: x,
            rows: rowCount,
            y: y,
            bias: nil,
            accumulates: isTransposed ? 1 : 0,
            first_output: 0,
            end_output: outputCount
        )
        return unsafe DenseProduct(isTransposed ? .selectedTransposed : .selected, arguments)
    }

    /// The pieces of `x · Aᵀ`.
    @unsafe
    fileprivate func projectionDown(
        _ x: UnsafePointer<Float>?,
        _ rowCount: Int,
        into inner: UnsafeMutablePointer<Float>?,
        _ workers: WorkerPool
    ) -> JobPieces {
        let product = unsafe product(rank, inputCount, x, rowCount, inner, isTransposed: false)
        return unsafe product.pieces(for: workers) { [self] run in
            a.withBytes { a in unsafe a.withUnsafeBytes { unsafe run($0.baseAddress, nil) } }
        }
    }

    /// `y += inner · B` (+ bias).
    @unsafe
    fileprivate func projectionUp(
        _ inner: UnsafePointer<Float>?,
        _ rows: Range<Int>,
        to y: UnsafeMutablePointer<Float>?
    ) -> ProjectionUp {
        ProjectionUp(
            change: self,
            product: unsafe product(
                outputCount,
                rank,
                inner,
                rows.count,
                y,
                isTransposed: true
            ),
            rows: rows
        )
    }

    /// Calls `body` with `B` and the bias.
    fileprivate func withOperandsUp(
        _ body: (UnsafeRawPointer?, UnsafePointer<Float>?) -> Void
    ) {
        b.withBytes { b in
            unsafe b.withUnsafeBytes { b in
                guard let bias else { return unsafe body(b.baseAddress, nil) }
                unsafe bias.withUnsafeBufferPointer {
                    unsafe body(b.baseAddress, $0.baseAddress)
                }
            }
        }
    }
}

/// The second half of a change's product, `y += inner · B` (+ bias), of which any part can be computed; lives
/// no longer than the call that makes it.
struct ProjectionUp: Sendable {
    fileprivate let change: LowRankChange
    fileprivate let product: DenseProduct
    /// Those that see the change, counted over all of `y`.
    fileprivate let rows: Range<Int>

    /// Adds to some outputs of those among some rows that see the change.
    func add(_ outputs: Range<Int>, _ some: Range<Int>) {
        let own = some.clamped(to: rows)
        guard !own.isEmpty else { return }
        let start = rows.lowerBound
        unsafe change.withOperandsUp { b, bias in
            unsafe product.multiply(
                outputs,
                own.lowerBound - start..<own.upperBound - start,
                with: b,
                bias
            )
        }
    }

    /// All of it, cut for some threads.
    fileprivate func pieces(for workers: WorkerPool) -> JobPieces {
        unsafe product.pieces(for: workers) { run in unsafe change.withOperandsUp(run) }
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
                        inner.baseAddress,
                        workers
                    )
                    workers.perform(down.count) { piece, _ in down.run(piece) }
                    let sums = up.pieces(for: workers)
                    workers.perform(sums.count) { piece, _ in sums.run(piece) }
                }
            }
        }
    }

    /// The pieces of `x · Aᵀ`, and what then adds its product with `B` to outputs.
    ///
    /// - Parameters:
    ///   - x: all rows of the activations.
    ///   - y: all rows of the outputs.
    ///   - inner: receives the products with `A`, of the change's own rows.
    ///   - workers: the threads.
    /// - Returns: both; the second read what the first write.
    @unsafe
    func projections(
        _ x: UnsafePointer<Float>?,
        _ y: UnsafeMutablePointer<Float>?,
        _ inner: UnsafeMutablePointer<Float>?,
        _ workers: WorkerPool
    ) -> (down: JobPieces, up: ProjectionUp) {
        unsafe (
            change.projectionDown(
                x?.advanced(by: rows.lowerBound * change.inputCount),
                rows.count,
                into: inner,
                workers
            ),
            change.projectionUp(
                inner,
                rows,
                to: y?.advanced(by: rows.lowerBound * change.outputCount)
            )
        )
    }
}
