extension Codebook {
    /// The signed dynamic map: ascending, 256 values, fine near zero; there is no -1.
    ///
    /// 8-bit Optimizers via Block-wise Quantization, Dettmers et al. 2021, section 1.3.
    public static let dynamicSigned = Codebook(values: dynamicMap(isSigned: true))

    /// The unsigned dynamic map: ascending, 256 values from 0 to 1.
    public static let dynamicUnsigned = Codebook(values: dynamicMap(isSigned: false))

    /// 255 evenly spaced values from -1 to 1, and one more zero before the middle one.
    public static let linearSigned: Codebook = {
        var values = evenlySpaced(from: -1, to: 1, count: 255)
        values.insert(0, at: 127)
        return Codebook(values: values)
    }()

    /// 256 evenly spaced values from 0 to 1.
    public static let linearUnsigned = Codebook(values: evenlySpaced(from: 0, to: 1, count: 256))

    /// For each of seven decimal magnitudes the means between evenly spaced bounds from 0.1 to 1,
    /// twice as many with each; then 0 and 1.
    private static func dynamicMap(isSigned: Bool) -> [Float] {
        let magnitudes: [Float] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]
        var values: [Float] = [0, 1]
        for (exponent, magnitude) in magnitudes.enumerated() {
            let count = (isSigned ? 1 << exponent : 2 << exponent) + 1
            let bounds = evenlySpaced(from: 0.1, to: 1, count: count)
            for (low, high) in zip(bounds, bounds.dropFirst()) {
                let mean = (low + high) / 2 * magnitude
                values.append(mean)
                if isSigned { values.append(-mean) }
            }
        }
        return values.sorted()
    }

    /// Returns `count` values as torch's `linspace` computes them in float32: from the nearer end,
    /// with one rounding each.
    static func evenlySpaced(from start: Float, to end: Float, count: Int) -> [Float] {
        let step = (end - start) / Float(count - 1)
        return (0..<count).map { index in
            index < count / 2
                ? start.addingProduct(step, Float(index))
                : end.addingProduct(-step, Float(count - 1 - index))
        }
    }
}
