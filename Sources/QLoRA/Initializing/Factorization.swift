internal import CheckpointIO
internal import LinearAlgebra
internal import Models
internal import Tensors

/// Factorizations with the errors of this module.
enum Factorization {
    /// Throws unless a weight has so many components.
    static func checkRank(_ rank: Int, of weight: any LinearWeight) throws(CheckpointError) {
        let smaller = min(weight.rowCount, weight.columnCount)
        guard rank <= smaller else {
            throw CheckpointError(
                .adapterRange,
                "the rank is larger than the smaller side of the weight",
                key: "r",
                expected: "at most \(smaller)",
                found: "\(rank)"
            )
        }
    }

    static func leading(_ matrix: Matrix, _ count: Int) throws(CheckpointError) -> TruncatedSVD {
        do throws(LinearAlgebraError) {
            return try TruncatedSVD(leadingOf: matrix, count: count)
        } catch {
            throw CheckpointError(.numFactorization, "\(error)")
        }
    }

    /// The first rows of `R` and columns of `Q`.
    static func leadingQR(
        _ matrix: Matrix,
        _ count: Int
    ) throws(CheckpointError) -> (a: Matrix, b: Matrix) {
        do throws(LinearAlgebraError) {
            let (q, r) = try QRFactorization.leading(matrix, count: count)
            return (r, q)
        } catch {
            throw CheckpointError(.numFactorization, "\(error)")
        }
    }

    /// The orthogonal factor of a square matrix.
    static func orthogonal(_ matrix: Matrix) throws(CheckpointError) -> Matrix {
        try leadingQR(matrix, matrix.columnCount).b
    }
}
