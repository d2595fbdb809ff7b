internal import Tensors

/// The row-wise int8 rules in plain Swift: the yardstick of the kernels.
package enum ReferenceInt8Rows {
    /// Returns the codes and scales of a row-major matrix.
    package static func quantize(
        _ elements: [Float],
        rowCount: Int,
        columnCount: Int
    ) -> (codes: [Int8], scales: [Float]) {
        var codes: [Int8] = []
        var scales: [Float] = []
        for row in 0..<rowCount {
            let weights = elements[row * columnCount..<(row + 1) * columnCount].map { element in
                ReferenceFloat.value(
                    of: ReferenceFloat.bits(of: element, as: .float16),
                    as: .float16
                )
            }
            let scale = Reference4Bit.absmax(of: weights[...])
            scales.append(scale)
            guard scale.isFinite, scale != 0 else {
                codes += weights.map { _ in 0 }
                continue
            }
            let factor = (1 / scale) * 127
            codes += weights.map { Int8(($0 * factor).rounded(.toNearestOrEven)) }
        }
        return (codes, scales)
    }

    /// Returns the elements of a row-major matrix before their rounding to the output's type.
    package static func dequantize(
        codes: [Int8],
        scales: [Float],
        rowCount: Int,
        columnCount: Int
    ) -> [Float] {
        (0..<rowCount * columnCount).map { index in
            let product = Float(codes[index]) * scales[index / columnCount]
            return ReferenceFloat.canonical(product * 0.007874015718698502)
        }
    }
}
