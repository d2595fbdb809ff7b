/// The search for scales of 4-bit codes in plain Swift: the yardstick of the kernels.
package enum ReferenceScaleSearch4Bit {
    /// Returns the scale of each block of `blockSize` elements.
    package static func scales(
        _ elements: [Float],
        blockSize: Int,
        codebook: Codebook4Bit
    ) -> [Float] {
        stride(from: 0, to: elements.count, by: blockSize).map { start in
            scale(of: elements[start..<min(start + blockSize, elements.count)], in: codebook)
        }
    }

    /// Returns the best scale of a block: its largest magnitude times a factor.
    ///
    /// Of the factors 11/16 ... 17/16 in steps of 1/16 the best is kept, then of its two neighbours at
    /// half the distance, three times. A later one must be strictly better; 1 comes first.
    private static func scale(of block: ArraySlice<Float>, in codebook: Codebook4Bit) -> Float {
        let a = Reference4Bit.absmax(of: block)
        guard a >= 0x1p-100, a < 0x1p100 else { return a }
        let power = Float(sign: .plus, exponent: -a.exponent, significand: 1)
        let scaled = block.map { $0 * power }
        var best: Float = 1
        var least = error(of: scaled, scale: a * power, in: codebook)
        func compare(_ factor: Float) {
            let found = error(of: scaled, scale: a * power * factor, in: codebook)
            if found < least { (best, least) = (factor, found) }
        }
        for sixteenths in 11...17 where sixteenths != 16 { compare(Float(sixteenths) / 16) }
        for step: Float in [0x1p-5, 0x1p-6, 0x1p-7] {
            let center = best
            compare(center - step)
            compare(center + step)
        }
        return a * best
    }

    /// Returns the squared error of a block in float32, in sixteen partial sums.
    private static func error(
        of block: [Float],
        scale: Float,
        in codebook: Codebook4Bit
    ) -> Float {
        let reciprocal = 1 / scale
        var lanes = [Float](repeating: 0, count: 16)
        for (index, x) in block.enumerated() {
            let code = Reference4Bit.code(of: x * reciprocal, in: codebook)
            let d = x - codebook.values[Int(code)] * scale
            lanes[index % 16] += d * d
        }
        while lanes.count > 1 {
            let half = lanes.count / 2
            lanes = (0..<half).map { lanes[$0] + lanes[$0 + half] }
        }
        return lanes[0]
    }
}
