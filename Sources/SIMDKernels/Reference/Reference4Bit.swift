/// The 4-bit blockwise rules in plain Swift: the yardstick of the kernels.
package enum Reference4Bit {
    /// Returns the code of a scaled element.
    package static func code(of v: Float, in codebook: Codebook4Bit) -> UInt8 {
        switch codebook.rule {
        case .ascending:
            return codebook.codeOfRank[codebook.thresholds.count { $0 < v }]
        case .signAndMagnitude:
            let rank = codebook.thresholds.count { $0 < v.magnitude }
            return codebook.codeOfRank[v < 0 ? rank + 8 : rank]
        }
    }

    /// Returns the scale of a block: its largest magnitude, where infinity counts as larger than
    /// every number and a NaN as larger still.
    package static func absmax(of block: ArraySlice<Float>) -> Float {
        if block.contains(where: \.isNaN) { return ReferenceFloat.canonical(.nan) }
        return block.map(\.magnitude).max() ?? 0
    }

    /// Returns one code per element of a block with scale `a`.
    package static func codes(
        of block: ArraySlice<Float>,
        scale a: Float,
        in codebook: Codebook4Bit
    ) -> [UInt8] {
        guard a.isFinite, a != 0 else {
            return block.map { _ in code(of: 0, in: codebook) }
        }
        let reciprocal = 1 / a
        return block.map { x in
            code(of: reciprocal.isNormal ? x * reciprocal : x / a, in: codebook)
        }
    }

    /// Returns the packed codes and the scales of elements in blocks of `blockSize`.
    ///
    /// Uses the given scales, or the largest magnitude of each block.
    package static func quantize(
        _ elements: [Float],
        blockSize: Int,
        codebook: Codebook4Bit,
        scales: [Float]? = nil
    ) -> (codes: [UInt8], absmax: [Float]) {
        var codes: [UInt8] = []
        var absmax: [Float] = []
        for start in stride(from: 0, to: elements.count, by: blockSize) {
            let block = elements[start..<min(start + blockSize, elements.count)]
            let scale = scales?[start / blockSize] ?? Self.absmax(of: block)
            absmax.append(scale)
            codes += Self.codes(of: block, scale: scale, in: codebook)
        }
        if codes.count % 2 == 1 { codes.append(code(of: 0, in: codebook)) }
        let packed = stride(from: 0, to: codes.count, by: 2).map { codes[$0] << 4 | codes[$0 + 1] }
        return (packed, absmax)
    }

    /// Returns `count` elements before their rounding to the output's type.
    package static func dequantize(
        codes: [UInt8],
        absmax: [Float],
        count: Int,
        blockSize: Int,
        values: [Float]
    ) -> [Float] {
        (0..<count).map { index in
            let byte = codes[index / 2]
            let code = index % 2 == 0 ? byte >> 4 : byte & 15
            return ReferenceFloat.canonical(values[Int(code)] * absmax[index / blockSize])
        }
    }
}
