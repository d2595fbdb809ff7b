internal import Tensors

/// The product with a 4-bit weight in float64, from canonical codes.
package enum ReferenceMultiply4Bit {
    /// An output and what bounds its error.
    package struct Output {
        /// The exact sum of the products, but for float64.
        package let value: Double
        /// `Σ |x · w|`: `n` roundings of float32 in any order err by at most `n · 2⁻²⁴` of it.
        package let absoluteSum: Double
    }

    /// Returns `x · Wᵀ`.
    /// - Parameters:
    ///   - x: rows of `columnCount` numbers.
    ///   - codes: of `[rowCount, columnCount]`, flattened, one a byte.
    ///   - scales: one for each `blockSize` flattened elements.
    ///   - rowCount: `N`.
    ///   - columnCount: `K`.
    ///   - blockSize: flattened elements that share a scale.
    ///   - codebook: what the codes stand for.
    ///   - mode: how operands are rounded first.
    /// - Returns: the outputs, row by row of x.
    package static func multiply(
        _ x: [Float],
        codes: [UInt8],
        scales: [Float],
        rowCount: Int,
        columnCount: Int,
        blockSize: Int,
        codebook: Codebook4Bit,
        mode: ComputeMode
    ) -> [Output] {
        var group = columnCount
        while columnCount % group != 0 || blockSize % group != 0 { group -= 1 }
        let x = rounded(x, mode, columnCount: columnCount, group: group)
        let values = values(of: codebook, mode)
        return (0..<x.count / columnCount).flatMap { row in
            (0..<rowCount).map { output in
                var (value, absoluteSum) = (0.0, 0.0)
                for column in 0..<columnCount {
                    let index = output * columnCount + column
                    let product =
                        Double(scales[index / blockSize]) * values[Int(codes[index])]
                        * x[row * columnCount + column]
                    value += product
                    absoluteSum += product.magnitude
                }
                return Output(value: value, absoluteSum: absoluteSum)
            }
        }
    }

    private static func bfloat16(_ value: Float) -> Float {
        ReferenceFloat.value(of: ReferenceFloat.bits(of: value, as: .bfloat16), as: .bfloat16)
    }

    private static func values(of codebook: Codebook4Bit, _ mode: ComputeMode) -> [Double] {
        switch mode {
        case .float32: codebook.values.map(Double.init)
        case .bfloat16: codebook.values.map { Double(bfloat16($0)) }
        case .int8: codebook.int8Values.map { Double($0) * Double(codebook.int8Step) }
        }
    }

    /// Activations as a mode rounds them; int8 in runs of at most 64 elements of a group.
    private static func rounded(
        _ x: [Float],
        _ mode: ComputeMode,
        columnCount: Int,
        group: Int
    ) -> [Double] {
        switch mode {
        case .float32: return x.map(Double.init)
        case .bfloat16: return x.map { Double(bfloat16($0)) }
        case .int8:
            return stride(from: 0, to: x.count, by: group).flatMap { start in
                stride(from: start, to: start + group, by: 64).flatMap { first in
                    let run = x[first..<min(first + 64, start + group)]
                    let largest = run.map(\.magnitude).max() ?? 0
                    return run.map {
                        let multiple = ($0 * (127 / largest)).rounded(.toNearestOrEven)
                        return largest == 0 ? 0 : Double(multiple) * Double(largest / 127)
                    }
                }
            }
        }
    }
}
