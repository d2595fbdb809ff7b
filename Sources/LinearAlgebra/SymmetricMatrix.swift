internal import CLinearAlgebra
public import Tensors

/// A symmetric matrix, such as the second moments of activations, with what methods that weigh errors by it
/// need; in Double, by LAPACK on the calling thread.
public struct SymmetricMatrix: Sendable {
    private let elements: DoubleMatrix
    /// The number of rows.
    public var size: Int { elements.rowCount }

    /// Takes a matrix; where it is not symmetric the mean of both sides counts.
    /// - Precondition: it is square.
    public init(_ matrix: Matrix) {
        precondition(
            matrix.rowCount == matrix.columnCount,
            "[\(matrix.rowCount), \(matrix.columnCount)] is not square"
        )
        var elements = DoubleMatrix(matrix)
        for row in 0..<matrix.rowCount {
            for column in 0..<row {
                let mean = (elements[row, column] + elements[column, row]) / 2
                (elements[row, column], elements[column, row]) = (mean, mean)
            }
        }
        self.elements = elements
    }

    /// Returns the lower triangle `L` of `M = L Lᵀ` (Cholesky).
    /// - Throws: `LinearAlgebraError` with the size of the leading part that is not positive definite.
    public func choleskyFactor() throws(LinearAlgebraError) -> Matrix {
        var lower = elements
        let info = unsafe la_dpotrf(
            CChar(UInt8(ascii: "L")),
            Int32(size),
            &lower.elements,
            Int32(max(size, 1))
        )
        try LinearAlgebraError.check(info, "dpotrf")
        for row in 0..<size {
            for column in row + 1..<max(size, row + 1) { lower[row, column] = 0 }
        }
        return lower.matrix
    }

    /// Returns the symmetric `R` with `R R = M`; eigenvalues below 0 count as 0.
    /// - Throws: `LinearAlgebraError` if LAPACK does not converge.
    public func squareRoot() throws(LinearAlgebraError) -> Matrix {
        try mapped { value, _ in max(value, 0).squareRoot() }
    }

    /// Returns the inverse of the part of the matrix that has one (Moore and Penrose).
    /// - Parameter tolerance: eigenvalues of no more than this share of the largest count as 0.
    /// - Returns: the pseudo-inverse.
    /// - Throws: `LinearAlgebraError` if LAPACK does not converge.
    public func pseudoInverse(tolerance: Double = 1e-10) throws(LinearAlgebraError) -> Matrix {
        try mapped { value, largest in
            value.magnitude > tolerance * largest ? 1 / value : 0
        }
    }

    /// `V f(Λ) Vᵀ`.
    private func mapped(
        _ function: (_ value: Double, _ largest: Double) -> Double
    ) throws(LinearAlgebraError) -> Matrix {
        guard size > 0 else { return elements.matrix }
        let (values, vectors) = try elements.eigenvectors()
        let largest = values.reduce(0) { max($0, $1.magnitude) }
        var scaled = vectors
        for (row, value) in values.enumerated() {
            let factor = function(value, largest)
            for column in 0..<size { scaled[row, column] *= factor }
        }
        return vectors.transposed().times(scaled).matrix
    }
}
