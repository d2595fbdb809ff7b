package import Machine
package import Tensors

extension BLAS {
    /// Returns `scale · A · B`, or `scale · A · Bᵀ`.
    /// - Parameters:
    ///   - a: `[N, p]`.
    ///   - b: `[p, K]`, or `[K, p]` to be transposed.
    ///   - transposesB: whether it is.
    ///   - scale: a factor.
    ///   - workers: the threads; the result has the same bits for any number of them.
    /// - Returns: `[N, K]`.
    package static func product(
        _ a: Matrix,
        _ b: Matrix,
        transposesB: Bool = false,
        scale: Float = 1,
        on workers: WorkerPool = .shared()
    ) -> Matrix {
        let columnCount = transposesB ? b.rowCount : b.columnCount
        var result = Matrix(rowCount: a.rowCount, columnCount: columnCount)
        multiply(a, b, into: &result, transposesB, scale, accumulates: false, workers)
        return result
    }

    /// Adds `scale · A · B` to a matrix.
    package static func addProduct(
        _ a: Matrix,
        _ b: Matrix,
        to c: inout Matrix,
        scale: Float,
        on workers: WorkerPool = .shared()
    ) {
        multiply(a, b, into: &c, false, scale, accumulates: true, workers)
    }

    private static func multiply(
        _ a: Matrix,
        _ b: Matrix,
        into c: inout Matrix,
        _ transposesB: Bool,
        _ scale: Float,
        accumulates: Bool,
        _ workers: WorkerPool
    ) {
        let shape = ProductShape(
            rowCount: c.rowCount,
            columnCount: c.columnCount,
            innerCount: a.columnCount,
            transposesB: transposesB
        )
        a.elements.withFloatSpan { a in
            b.elements.withFloatSpan { b in
                c.withMutableElements {
                    multiply(
                        a,
                        b,
                        into: &$0,
                        shape: shape,
                        scale: scale,
                        accumulates: accumulates,
                        on: workers
                    )
                }
            }
        }
    }
}
