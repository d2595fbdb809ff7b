/// The 8-bit blockwise rules in plain Swift: the yardstick of the kernels.
package enum Reference8Bit {
    /// Returns the index of the value nearest to `v` by float32 midpoints, a tie going to the even
    /// index.
    package static func code(of v: Float, in values: [Float]) -> UInt8 {
        var code = 0
        for index in 0..<255 {
            let midpoint = (values[index] + values[index + 1]) * 0.5
            if v > midpoint || (v == midpoint && index % 2 == 1) { code = index + 1 }
        }
        return UInt8(code)
    }

    /// Returns the codes and the scales of elements in blocks of `blockSize`.
    package static func quantize(
        _ elements: [Float],
        blockSize: Int,
        values: [Float]
    ) -> (codes: [UInt8], absmax: [Float]) {
        var codes: [UInt8] = []
        var absmax: [Float] = []
        for start in stride(from: 0, to: elements.count, by: blockSize) {
            let block = elements[start..<min(start + blockSize, elements.count)]
            let a = Reference4Bit.absmax(of: block)
            absmax.append(a)
            guard a.isFinite, a != 0 else {
                codes += block.map { _ in 0 }
                continue
            }
            let reciprocal = 1 / a
            codes += block.map { x in
                code(of: reciprocal.isNormal ? x * reciprocal : x / a, in: values)
            }
        }
        return (codes, absmax)
    }

    /// Returns the elements before their rounding to the output's type.
    package static func dequantize(
        codes: [UInt8],
        absmax: [Float],
        blockSize: Int,
        values: [Float]
    ) -> [Float] {
        codes.indices.map { index in
            ReferenceFloat.canonical(values[Int(codes[index])] * absmax[index / blockSize])
        }
    }
}
