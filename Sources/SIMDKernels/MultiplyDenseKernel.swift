internal import CSIMDKernels
package import Machine

/// Multiplies rows of activations with a dense weight: `y = x · Wᵀ`, widening 16-bit elements in registers.
///
/// Sums are float32 in an order that depends on `K`, the variant, and whether there is one row.
@safe
package struct MultiplyDenseKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_multiply_dense_entry

    package static let compiled = unsafe compiledEntries(qk_multiply_dense_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Multiplies: `y = x · Wᵀ` (+ bias) (+ y).
    /// - Parameters:
    ///   - x: rows of `K` numbers.
    ///   - weight: `N` rows of `K` elements.
    ///   - element: their type.
    ///   - innerCount: `K`, at least 1.
    ///   - y: receives rows of `N` numbers, as many as `x` has.
    ///   - options: bias, accumulate.
    ///   - workers: the threads.
    package func multiply(
        _ x: Span<Float>,
        with weight: RawSpan,
        as element: FloatElement,
        innerCount: Int,
        into y: inout MutableSpan<Float>,
        options: ProductOptions,
        on workers: WorkerPool
    ) {
        precondition(innerCount > 0, "sums of \(innerCount) terms")
        let outputs = element.count(in: weight.byteCount) / innerCount
        let rows = x.count / innerCount
        precondition(
            element.count(in: weight.byteCount) == outputs * innerCount
                && x.count == rows * innerCount && y.count == rows * outputs
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
                            rows: rows,
                            y: y.baseAddress,
                            bias: options.bias == nil ? nil : bias.baseAddress,
                            accumulates: options.accumulates ? 1 : 0,
                            first_output: 0,
                            end_output: outputs
                        )
                        unsafe DenseProduct(function: entry.function, arguments: arguments)
                            .run(on: workers)
                    }
                }
            }
        }
    }
}

/// A product whose outputs are computed on several threads.
///
/// `@unchecked Sendable`: every piece writes its own columns of the output, and all else is read; it
/// lives no longer than the call that makes it.
@safe
private struct DenseProduct: @unchecked Sendable {
    let function: (@convention(c) (UnsafePointer<qk_multiply_dense_arguments>?) -> Void)?
    let arguments: qk_multiply_dense_arguments

    /// Multiplications that are worth a second thread.
    private static let leastWork = 1 << 15

    func run(on workers: WorkerPool) {
        let (outputs, rows, inner) = unsafe (arguments.n, arguments.rows, arguments.k)
        let work = outputs * max(rows, 1) * inner
        // Pieces in whole tiles of the kernels.
        let pieces = min(4 * workers.threadCount, max(work / Self.leastWork, 1))
        let stride = max((outputs / pieces + 7) / 8 * 8, 8)
        workers.perform((outputs + stride - 1) / stride) { piece, _ in
            var own = unsafe arguments
            unsafe own.first_output = piece * stride
            unsafe own.end_output = min((piece + 1) * stride, outputs)
            unsafe function?(&own)
        }
    }
}
