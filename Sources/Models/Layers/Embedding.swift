public import Tensors

/// A look-up table `[V, D]` that does not change: the row of each token, times a scale.
///
/// Nothing flows back through it: tokens have no gradients.
public final class Embedding: Sendable {
    /// The table, `[V, D]`.
    public let weight: DenseWeight
    /// The row whose gradient is nothing, if there is one.
    public let paddingIndex: Int?
    /// A factor of all outputs.
    public let scale: Float

    /// Makes a layer.
    /// - Precondition: the padding row is there.
    public init(_ weight: DenseWeight, paddingIndex: Int? = nil, scale: Float = 1) {
        precondition(
            paddingIndex.map { 0..<weight.rowCount ~= $0 } ?? true,
            "padding row \(paddingIndex ?? 0) of \(weight.rowCount)"
        )
        self.weight = weight
        self.paddingIndex = paddingIndex
        self.scale = scale
    }

    /// `V`, the rows.
    public var rowCount: Int { weight.rowCount }
    /// `D`, the width of a row.
    public var width: Int { weight.columnCount }

    /// Looks rows up.
    /// - Parameter tokens: each less than `V`.
    /// - Returns: `[count, D]`, scaled.
    /// - Precondition: every token has a row.
    public func forward(_ tokens: [Int]) -> Matrix {
        var y = rows(tokens)
        if scale != 1 {
            y.withMutableElements { elements in
                for index in elements.indices { elements[index] *= scale }
            }
        }
        return y
    }

    /// Looks rows up, without the scale.
    package func rows(_ tokens: [Int]) -> Matrix {
        var result = Matrix(rowCount: tokens.count, columnCount: width)
        for (place, token) in tokens.enumerated() {
            precondition(0..<rowCount ~= token, "token \(token) of \(rowCount)")
            for (column, element) in weight.row(token).enumerated() {
                result[place, column] = element
            }
        }
        return result
    }
}
