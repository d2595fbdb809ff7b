internal import CSIMDKernels
package import Machine
package import Tensors

extension MultiplyDenseKernel {
    /// Multiplies with a weight whose rows are made when they are needed: `y = x · Wᵀ` (+ bias) (+ y).
    ///
    /// The bits do not depend on the number of threads.
    /// - Parameters:
    ///   - x: rows of `K` numbers.
    ///   - innerCount: `K`, at least 1.
    ///   - element: the type of the weight's elements.
    ///   - y: receives rows of `N` numbers, as many as `x` has.
    ///   - outputCount: `N`.
    ///   - options: bias, accumulate.
    ///   - workers: the threads.
    ///   - makeRows: receives a range of the weight's rows, the worker's index, and what has to be called
    ///     with the elements of the rows.
    /// - Throws: what `makeRows` throws.
    package func multiply<Failure: Error>(
        _ x: Span<Float>,
        innerCount: Int,
        as element: FloatDType,
        into y: inout MutableSpan<Float>,
        outputCount: Int,
        options: ProductOptions,
        on workers: WorkerPool,
        makeRows:
            @Sendable (_ rows: Range<Int>, _ worker: Int, _ use: (RawSpan) -> Void)
            throws(Failure) -> Void
    ) throws(Failure) {
        let rows = x.count / max(innerCount, 1)
        precondition(
            innerCount > 0 && !isTransposed && x.count == rows * innerCount
                && y.count == rows * outputCount
                && options.bias.map { $0.count == outputCount } ?? true,
            "\(x.count) activations and \(y.count) outputs for [\(outputCount), \(innerCount)]"
        )
        guard rows > 0 else { return }
        let step = Self.madeRowCount(innerCount)
        try unsafe x.withUnsafeBufferPointer { (x) throws(Failure) in
            try unsafe y.withUnsafeMutableBufferPointer { (y) throws(Failure) in
                try unsafe (options.bias ?? []).withUnsafeBufferPointer { (bias) throws(Failure) in
                    let arguments = unsafe qk_multiply_dense_arguments(
                        w: nil,
                        type: element.cType,
                        n: 0,
                        k: innerCount,
                        x: x.baseAddress,
                        x_stride: innerCount,
                        rows: rows,
                        y: y.baseAddress,
                        y_stride: outputCount,
                        bias: options.bias == nil ? nil : bias.baseAddress,
                        accumulates: options.accumulates ? 1 : 0,
                        first_output: 0,
                        end_output: 0
                    )
                    let product = unsafe DenseProduct(self, arguments)
                    try workers.perform((outputCount + step - 1) / step) {
                        (index, worker) throws(Failure) in
                        let made = index * step..<min((index + 1) * step, outputCount)
                        try makeRows(made, worker) { product.multiply(made, with: $0) }
                    }
                }
            }
        }
    }

    /// Rows of a weight that are made together: they stay in a worker's second-level cache.
    static func madeRowCount(_ innerCount: Int) -> Int { max(8, (1 << 15) / innerCount / 8 * 8) }
}
