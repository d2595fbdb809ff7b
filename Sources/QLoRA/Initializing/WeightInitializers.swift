public import CheckpointIO
internal import LinearAlgebra
public import Models
public import Tensors

/// Principal singular values and vectors (Meng, Wang and Zhang 2024): `A` and `B` hold the leading part of
/// the weight, and the base what is left.
///
/// `s B A = U S Vᵀ` whatever the scaling; see `TruncatedSVD.factors`.
public struct PiSSA: AdapterInitializer {
    /// Makes the method.
    public init() {}

    /// True.
    public var changesBase: Bool { true }

    /// Returns the factors; see `AdapterInitializer`.
    public func factors(
        of weight: any LinearWeight,
        rank: Int,
        scaling: Double,
        generator: inout SplitMix64
    ) throws(CheckpointError) -> (a: Matrix, b: Matrix) {
        try Factorization.checkRank(rank, of: weight)
        guard scaling > 0 else {
            throw CheckpointError(
                .adapterRange,
                "PiSSA needs a scaling above 0",
                found: "\(scaling)"
            )
        }
        return try Factorization.leading(weight.dequantized(), rank).factors(scaling: scaling)
    }
}

/// Orthonormal factors (Büyükakyüz 2024): `W = Q R`, `B` the first columns of `Q`, `A` the first rows of `R`.
public struct OLoRA: AdapterInitializer {
    /// Makes the method.
    public init() {}

    /// True.
    public var changesBase: Bool { true }

    /// Returns the factors; see `AdapterInitializer`.
    public func factors(
        of weight: any LinearWeight,
        rank: Int,
        scaling: Double,
        generator: inout SplitMix64
    ) throws(CheckpointError) -> (a: Matrix, b: Matrix) {
        try Factorization.checkRank(rank, of: weight)
        return try Factorization.leadingQR(weight.dequantized(), rank)
    }
}

/// Minor components: `B` the left singular vectors of the smallest singular values, to stay as they are,
/// and `A` zero.
public struct MiCA: AdapterInitializer {
    /// Makes the method.
    public init() {}

    /// False.
    public var changesBase: Bool { false }

    /// Returns the factors; see `AdapterInitializer`.
    public func factors(
        of weight: any LinearWeight,
        rank: Int,
        scaling: Double,
        generator: inout SplitMix64
    ) throws(CheckpointError) -> (a: Matrix, b: Matrix) {
        try Factorization.checkRank(rank, of: weight)
        let smaller = min(weight.rowCount, weight.columnCount)
        let svd = try Factorization.leading(weight.dequantized(), smaller)
        var b = Matrix(rowCount: weight.rowCount, columnCount: rank)
        for row in 0..<weight.rowCount {
            for column in 0..<rank { b[row, column] = svd.left[row, smaller - rank + column] }
        }
        return (Matrix(rowCount: rank, columnCount: weight.columnCount), b)
    }
}
