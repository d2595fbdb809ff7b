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
    ///   - values: of the codes.
    ///   - mode: whether operands are rounded to bfloat16 first.
    /// - Returns: the outputs, row by row of x.
    package static func multiply(
        _ x: [Float],
        codes: [UInt8],
        scales: [Float],
        rowCount: Int,
        columnCount: Int,
        blockSize: Int,
        values: [Float],
        mode: ComputeMode
    ) -> [Output] {
        let rounded = { (value: Float) -> Float in
            mode == .float32
                ? value
                : ReferenceFloat.value(
                    of: ReferenceFloat.bits(of: value, as: .bfloat16),
                    as: .bfloat16
                )
        }
        let values = values.map(rounded)
        let x = x.map(rounded)
        return (0..<x.count / columnCount).flatMap { row in
            (0..<rowCount).map { output in
                var (value, absoluteSum) = (0.0, 0.0)
                for column in 0..<columnCount {
                    let index = output * columnCount + column
                    let product =
                        Double(scales[index / blockSize]) * Double(values[Int(codes[index])])
                        * Double(x[row * columnCount + column])
                    value += product
                    absoluteSum += product.magnitude
                }
                return Output(value: value, absoluteSum: absoluteSum)
            }
        }
    }
}
