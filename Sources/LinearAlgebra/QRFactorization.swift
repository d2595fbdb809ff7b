public import Tensors

/// `M = Q · R`, with orthonormal columns of `Q` and `R` upper triangular; in Double, by LAPACK.
public enum QRFactorization {
    /// Returns the first columns of `Q` and rows of `R`.
    /// - Parameters:
    ///   - matrix: `[N, K]`, finite.
    ///   - count: at most `min(N, K)`.
    /// - Returns: `[N, count]` and `[count, K]`.
    /// - Throws: `LinearAlgebraError`.
    /// - Precondition: the count fits.
    public static func leading(
        _ matrix: Matrix,
        count: Int
    ) throws(LinearAlgebraError) -> (q: Matrix, r: Matrix) {
        let smaller = min(matrix.rowCount, matrix.columnCount)
        precondition(0...smaller ~= count, "\(count) of \(smaller) columns")
        // The first columns of a wide matrix settle all of Q.
        var tall = DoubleMatrix(rowCount: matrix.rowCount, columnCount: smaller)
        for row in 0..<matrix.rowCount {
            for column in 0..<smaller { tall[row, column] = Double(matrix[row, column]) }
        }
        let full = try tall.orthogonalized().q
        var q = DoubleMatrix(rowCount: matrix.rowCount, columnCount: count)
        for row in 0..<matrix.rowCount {
            for column in 0..<count { q[row, column] = full[row, column] }
        }
        let r = q.transposed().times(DoubleMatrix(matrix))
        return (q.matrix, r.matrix)
    }
}
