public import Tensors

/// The leading singular triplets of a matrix: `M ≈ U · diag(σ) · Vᵀ`.
///
/// Computed in Double by LAPACK on the calling thread, so that the bits depend on nothing else. The largest
/// element of each row of `Vᵀ` is positive, which settles the signs.
public struct TruncatedSVD: Sendable {
    /// `U`, `[N, count]`.
    public let left: Matrix
    /// The singular values, descending.
    public let values: [Float]
    /// `Vᵀ`, `[count, K]`.
    public let right: Matrix

    /// From so many rows or columns on the eigenvalues of `M Mᵀ` or `Mᵀ M` are cheaper than all of `M`'s
    /// triplets, and as good for the leading ones.
    private static let gramCount = 512

    /// Decomposes a matrix.
    /// - Parameters:
    ///   - matrix: `[N, K]`, finite.
    ///   - count: the triplets; at most `min(N, K)` are found.
    /// - Throws: `LinearAlgebraError` if LAPACK does not converge.
    public init(of matrix: Matrix, count: Int) throws(LinearAlgebraError) {
        let smaller = min(matrix.rowCount, matrix.columnCount)
        let wanted = min(count, smaller)
        let dense = DoubleMatrix(matrix)
        let triplets =
            smaller <= Self.gramCount
            ? try Triplets(of: dense) : try Triplets(ofGram: dense, count: wanted)
        self.init(triplets, count: wanted)
    }

    /// Decomposes a product without forming it.
    /// - Parameters:
    ///   - a: `[N, p]`, finite.
    ///   - b: `[p, K]`, finite.
    ///   - count: the triplets; at most `min(N, K)` are found, and zeros stand for those beyond `p`.
    /// - Throws: `LinearAlgebraError` if LAPACK does not converge.
    public init(ofProduct a: Matrix, _ b: Matrix, count: Int) throws(LinearAlgebraError) {
        precondition(a.columnCount == b.rowCount, "[…, \(a.columnCount)] times [\(b.rowCount), …]")
        let inner = a.columnCount
        let (left, right) = (DoubleMatrix(a), DoubleMatrix(b))
        guard inner > 0, inner < min(a.rowCount, b.columnCount) else {
            self.init(
                try Triplets(of: left.times(right)),
                count: min(count, a.rowCount, b.columnCount)
            )
            return
        }
        // M = Q₁ R₁ R₂ᵀ Q₂ᵀ, and the middle is small.
        let (q1, r1) = try left.orthogonalized()
        let (q2, r2) = try right.transposed().orthogonalized()
        let middle = try Triplets(of: r1.times(r2.transposed()))
        self.init(
            Triplets(
                left: q1.times(middle.left),
                values: middle.values,
                right: middle.right.times(q2.transposed())
            ),
            count: min(count, a.rowCount, b.columnCount)
        )
    }

    /// Returns factors that share the singular values evenly: `A = √(S / s) Vᵀ` and `B = U √(S / s)`, so that
    /// `s B A` is `U S Vᵀ` whatever the scaling.
    /// - Parameter scaling: `s`, above 0.
    /// - Returns: `A`, `[count, K]`, and `B`, `[N, count]`.
    public func factors(scaling: Double) -> (a: Matrix, b: Matrix) {
        var (a, b) = (right, left)
        for (index, value) in values.enumerated() {
            let root = Float((Double(value) / scaling).squareRoot())
            for column in 0..<a.columnCount { a[index, column] *= root }
            for row in 0..<b.rowCount { b[row, index] *= root }
        }
        return (a, b)
    }

    init(_ triplets: Triplets, count: Int) {
        let found = min(count, triplets.values.count)
        var left = Matrix(rowCount: triplets.left.rowCount, columnCount: count)
        var right = Matrix(rowCount: count, columnCount: triplets.right.columnCount)
        var values = [Float](repeating: 0, count: count)
        for index in 0..<found {
            let row = triplets.right.row(index)
            let largest = row.max { $0.magnitude < $1.magnitude } ?? 0
            let sign: Double = largest < 0 ? -1 : 1
            values[index] = Float(triplets.values[index])
            for (column, element) in row.enumerated() {
                right[index, column] = Float(sign * element)
            }
            for row in 0..<left.rowCount {
                left[row, index] = Float(sign * triplets.left[row, index])
            }
        }
        self.left = left
        self.values = values
        self.right = right
    }
}
