public import CheckpointIO
internal import LinearAlgebra
public import Models
public import Tensors

/// Random factors whose product is zero, so that a new adapter changes nothing; or, for tests, is not.
public struct RandomInitializer: AdapterInitializer {
    /// The distributions.
    public enum Kind: Sendable, Hashable {
        /// `A` uniform in `±1 / √K` (Kaiming with `a = √5`), `B` zero: the default.
        case kaiming
        /// `A` normal with deviation `1 / r`, `B` zero.
        case gaussian
        /// `A` as with `kaiming`, `B` uniform in `±1 / √r`: not zero.
        case random
        /// Both from the odd and even rows of one orthogonal matrix: neither is zero, their product is.
        case orthogonal
    }

    /// The distribution.
    public let kind: Kind

    /// Chooses a distribution.
    public init(_ kind: Kind = .kaiming) { self.kind = kind }

    /// False.
    public var changesBase: Bool { false }

    /// Returns the factors; see `AdapterInitializer`.
    public func factors(
        of weight: any LinearWeight,
        rank: Int,
        scaling: Double,
        generator: inout SplitMix64
    ) throws(CheckpointError) -> (a: Matrix, b: Matrix) {
        let (outputs, inputs) = (weight.rowCount, weight.columnCount)
        let bound = 1 / Float(max(inputs, 1)).squareRoot()
        switch kind {
        case .kaiming:
            return (
                generator.uniform(rank, inputs, bound: bound),
                Matrix(rowCount: outputs, columnCount: rank)
            )
        case .gaussian:
            return (
                generator.normal(rank, inputs, deviation: 1 / Double(rank)),
                Matrix(rowCount: outputs, columnCount: rank)
            )
        case .random:
            return (
                generator.uniform(rank, inputs, bound: bound),
                generator.uniform(outputs, rank, bound: 1 / Float(rank).squareRoot())
            )
        case .orthogonal:
            return try orthogonal(outputs, inputs, rank, &generator)
        }
    }

    /// `A = (G₁ Q₀)ᵀ / 10`, `B = G₂ Q₁ / 10` with the even rows `Q₀` and the odd ones `Q₁` of an orthogonal
    /// matrix and normal `G`: `B A = G₂ Q₁ Q₀ᵀ G₁ᵀ / 100 = 0`.
    private func orthogonal(
        _ outputs: Int,
        _ inputs: Int,
        _ rank: Int,
        _ generator: inout SplitMix64
    ) throws(CheckpointError) -> (a: Matrix, b: Matrix) {
        guard rank % 2 == 0 else {
            throw CheckpointError(
                .adapterRange,
                "an orthogonal initialisation needs an even rank",
                key: "r",
                found: "\(rank)"
            )
        }
        let q = try Factorization.orthogonal(generator.normal(rank, rank, deviation: 1))
        let half = rank / 2
        func rows(from first: Int) -> Matrix {
            var result = Matrix(rowCount: half, columnCount: rank)
            for row in 0..<half {
                for column in 0..<rank { result[row, column] = q[2 * row + first, column] }
            }
            return result
        }
        let left = generator.normal(inputs, half, deviation: 0.1)
        let right = generator.normal(outputs, half, deviation: 0.1)
        return (
            BLAS.product(left, rows(from: 0)).transposed(),
            BLAS.product(right, rows(from: 1))
        )
    }
}
