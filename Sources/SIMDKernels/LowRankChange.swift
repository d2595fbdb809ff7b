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
    /// - Throws: `AllocationError`.
    package init(
        a: [Float],
        b: [Float],
        rank: Int,
        bias: [Float]?
    ) throws(AllocationError) {
        precondition(
            rank > 0 && a.count % rank == 0 && b.count % rank == 0
                && bias.map { $0.count * rank == b.count } ?? true,
            "factors of \(a.count) and \(b.count) numbers of rank \(rank)"
        )
        self.rank = rank
        inputCount = a.count / rank
        outputCount = b.count / rank
        self.a = try Self.rounded(a)
        self.b = try Self.rounded(b)
        self.bias = bias
    }

    private static func rounded(_ numbers: [Float]) throws(AllocationError) -> AlignedBuffer {
        var buffer = try AlignedBuffer(byteCount: 2 * numbers.count)
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

    /// Adds the change's product to outputs: `y += x · Aᵀ · B` (+ bias).
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
        let rowCount = x.count / inputCount
        precondition(
            x.count == rowCount * inputCount && y.count == rowCount * outputCount,
            "\(x.count) activations and \(y.count) outputs for [\(outputCount), \(inputCount)]"
        )
        if inner.count < rowCount * rank {
            inner = [Float](repeating: 0, count: rowCount * rank)
        }
        unsafe x.withUnsafeBufferPointer { x in
            unsafe inner.withUnsafeMutableBufferPointer { inner in
                unsafe y.withUnsafeMutableBufferPointer { y in
                    let inner = inner.baseAddress
                    let down = unsafe projectionDown(
                        x.baseAddress,
                        rowCount,
                        into: inner,
                        workers
                    )
                    workers.perform(down.count, down.run)
                    let up = unsafe projectionUp(
                        inner,
                        rowCount,
                        to: y.baseAddress,
                        workers
                    )
                    workers.perform(up.count, up.run)
                }
            }
        }
    }

    /// The pieces of `x · Aᵀ`.
    @unsafe
    func projectionDown(
        _ x: UnsafePointer<Float>?,
        _ rowCount: Int,
        into inner: UnsafeMutablePointer<Float>?,
        _ workers: WorkerPool
    ) -> JobPieces {
        let arguments = unsafe qk_multiply_dense_arguments(
            w: nil,
            type: FloatElement.bfloat16.cType,
            n: rank,
            k: inputCount,
            x: x,
            rows: rowCount,
            y: inner,
            bias: nil,
            accumulates: 0,
            first_output: 0,
            end_output: rank
        )
        let product = unsafe DenseProduct(.selected, arguments)
        return unsafe product.pieces(for: workers) { [self] run in
            a.withBytes { a in unsafe a.withUnsafeBytes { unsafe run($0.baseAddress, nil) } }
        }
    }

    /// The pieces of `y += inner · B` (+ bias).
    @unsafe
    func projectionUp(
        _ inner: UnsafePointer<Float>?,
        _ rowCount: Int,
        to y: UnsafeMutablePointer<Float>?,
        _ workers: WorkerPool
    ) -> JobPieces {
        let arguments = unsafe qk_multiply_dense_arguments(
            w: nil,
            type: FloatElement.bfloat16.cType,
            n: outputCount,
            k: rank,
            x: inner,
            rows: rowCount,
            y: y,
            bias: nil,
            accumulates: 1,
            first_output: 0,
            end_output: outputCount
        )
        let product = unsafe DenseProduct(.selectedTransposed, arguments)
        return unsafe product.pieces(for: workers) { [self] run in
            b.withBytes { b in
                unsafe b.withUnsafeBytes { b in
                    guard let bias else { return unsafe run(b.baseAddress, nil) }
                    unsafe bias.withUnsafeBufferPointer {
                        unsafe run(b.baseAddress, $0.baseAddress)
                    }
                }
            }
        }
    }
}
