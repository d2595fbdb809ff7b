internal import CSIMDKernels
package import Machine
package import Tensors

/// Multiplies rows of activations with a dense weight: `y = x · Wᵀ`, widening 16-bit elements in registers.
///
/// Sums are float32 in an order that depends on `K`, the variant, and whether there is one row; of a
/// transposed weight in the order of its rows.
@safe
package struct MultiplyDenseKernel: KernelEntry {
    package let variant: KernelVariant
    /// Whether the weight lies as `[K, N]`.
    package let isTransposed: Bool
    // Immutable: a name and a function of the C table.
    fileprivate nonisolated(unsafe) let entry: qk_multiply_dense_entry

    /// The variants for an order of the weight, the one measured fastest first, generic last.
    package static func compiled(isTransposed: Bool = false) -> [Self] {
        let entries =
            isTransposed
            ? unsafe qk_multiply_dense_transposed_entries : unsafe qk_multiply_dense_entries
        return unsafe compiledEntries(entries) {
            unsafe Self(variant: KernelVariant($0.variant), isTransposed: isTransposed, entry: $0)
        }
    }

    /// The variants in use.
    package static let selected = compiled().preferred()
    package static let selectedTransposed = compiled(isTransposed: true).preferred()

    /// Multiplies: `y = x · Wᵀ` (+ bias) (+ y).
    /// - Parameters:
    ///   - x: rows of `K` numbers.
    ///   - rowStride: the numbers from one row to the next; nil for `K`.
    ///   - weight: `N` rows of `K` elements; of a transposed one `K` rows of `N`.
    ///   - element: their type.
    ///   - innerCount: `K`, at least 1.
    ///   - y: receives rows of `N` numbers, as many as `x` has.
    ///   - options: bias, accumulate.
    ///   - workers: the threads.
    package func multiply(
        _ x: Span<Float>,
        rowStride: Int? = nil,
        with weight: RawSpan,
        as element: FloatDType,
        innerCount: Int,
        into y: inout MutableSpan<Float>,
        options: ProductOptions,
        on workers: WorkerPool
    ) {
        precondition(innerCount > 0, "sums of \(innerCount) terms")
        let outputs = element.count(in: weight.byteCount) / innerCount
        let stride = rowStride ?? innerCount
        let rows = (x.count + stride - innerCount) / stride
        precondition(
            element.count(in: weight.byteCount) == outputs * innerCount && stride >= innerCount
                && (rowStride != nil || x.count == rows * innerCount) && y.count == rows * outputs
                && options.bias.map { $0.count == outputs } ?? true,
            "\(x.count) activations and \(y.count) outputs for [\(outputs), \(innerCount)]"
        )
        unsafe weight.withUnsafeBytes { weight in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe y.withUnsafeMutableBufferPointer { y in
                    unsafe (options.bias ?? []).withUnsafeBufferPointer { bias in
                        let arguments = unsafe qk_multiply_dense_arguments(
                            w: weight.baseAddress,
                            type: element.cType,
                            n: outputs,
                            k: innerCount,
                            x: x.baseAddress,
                            x_stride: stride,
                            rows: rows,
                            y: y.baseAddress,
                            y_stride: outputs,
                            bias: options.bias == nil ? nil : bias.baseAddress,
                            accumulates: options.accumulates ? 1 : 0,
                            first_output: 0,
                            end_output: outputs
                        )
                        let product = unsafe DenseProduct(self, arguments)
                        let cuts = product.cuts(for: workers)
                        workers.perform(cuts.count) { piece, _ in product.multiply(cuts[piece]) }
                    }
                }
            }
        }
    }
}

/// A product of which any part can be computed.
///
/// `@unchecked Sendable`: threads write outputs of their own, and all else is read; it lives no longer than
/// the call that makes it.
@safe
struct DenseProduct: @unchecked Sendable {
    private let function: (@convention(c) (UnsafePointer<qk_multiply_dense_arguments>?) -> Void)?
    private let arguments: qk_multiply_dense_arguments
    /// Outputs that a kernel computes together.
    private let tileWidth: Int

    /// Multiplications that are worth a piece: those with one row wait for memory.
    private static let leastWork = 1 << 15
    private static let leastWorkOfOneRow = 1 << 12
    /// A weight of so many elements stays in the cache while many rows pass over it.
    private static let cachedWeight = 1 << 17
    private static let manyRows = 64

    init(_ kernel: MultiplyDenseKernel, _ arguments: qk_multiply_dense_arguments) {
        unsafe function = kernel.entry.function
        unsafe self.arguments = arguments
        tileWidth = kernel.isTransposed ? 64 : 8
    }

    /// Cuts the product for some threads: by outputs, or by rows if there are many for a small weight.
    func cuts(for workers: WorkerPool) -> ProductCuts {
        let (outputs, rows, inner) = unsafe (arguments.n, arguments.rows, arguments.k)
        let least = rows == 1 ? Self.leastWorkOfOneRow : Self.leastWork
        let pieces = min(4 * workers.threadCount, max(outputs * rows * inner / least, 1))
        let cutsRows = rows >= Self.manyRows && outputs * inner <= Self.cachedWeight
        let stretches = cutsRows ? 1 : pieces
        let tiles = max((outputs / stretches + tileWidth - 1) / tileWidth, 1)
        return ProductCuts(
            columnCount: outputs,
            columnsOfStretch: tiles * tileWidth,
            rowCount: rows,
            // No part has a single row, whose sums would have another order.
            rowPartCount: cutsRows ? min(pieces, rows / 2) : 1
        )
    }

    /// Computes a piece.
    func multiply(_ piece: ProductCuts.Piece) { multiply(piece.columns, piece.rows) }

    /// Computes some outputs of some rows.
    func multiply(_ outputs: Range<Int>, _ rows: Range<Int>) {
        var own = unsafe arguments
        unsafe own.first_output = outputs.lowerBound
        unsafe own.end_output = outputs.upperBound
        unsafe own.x += rows.lowerBound * own.x_stride
        unsafe own.y += rows.lowerBound * own.y_stride
        unsafe own.rows = rows.count
        unsafe function?(&own)
    }

    /// Computes some outputs of all rows with their rows of the weight.
    func multiply(_ outputs: Range<Int>, with weight: RawSpan) {
        var own = unsafe arguments
        unsafe own.n = outputs.count
        unsafe own.end_output = outputs.count
        unsafe own.y += outputs.lowerBound
        if let bias = unsafe own.bias { unsafe own.bias = bias + outputs.lowerBound }
        unsafe weight.withUnsafeBytes {
            unsafe own.w = $0.baseAddress
            unsafe function?(&own)
        }
    }
}
