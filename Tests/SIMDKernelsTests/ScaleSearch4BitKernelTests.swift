import SIMDKernels
import TestSupport
import Testing

@Suite struct ScaleSearch4BitKernelTests {
    /// The NF4 table of QLoRA (Dettmers and others 2023, appendix E).
    static let nf4: Codebook4Bit = {
        let values: [Float] = [
            -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
            -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
            0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
            0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
        ]
        return Codebook4Bit(
            values: values,
            thresholds: zip(values, values.dropFirst()).map { ($0 + $1) * 0.5 },
            codeOfRank: Array(0..<16),
            rule: .ascending
        )
    }()

    private func search(
        _ kernel: ScaleSearch4BitKernel,
        _ bytes: [UInt8],
        _ element: FloatElement,
        _ codebook: Codebook4Bit
    ) -> [Float] {
        let blockCount = (bytes.count / element.byteCount + 63) / 64
        let buffer = GuardedBuffer(bytes)
        let scales = GuardedBuffer(byteCount: blockCount * 4)
        var span = scales.floats.mutableSpan
        kernel.search(
            buffer.span.bytes,
            as: element,
            blockSize: 64,
            codebook: codebook,
            scales: &span
        )
        return Array(scales.floats)
    }

    private func squareError(_ values: [Float], scales: [Float]) -> Double {
        let quantized = Reference4Bit.quantize(
            values,
            blockSize: 64,
            codebook: Self.nf4,
            scales: scales
        )
        let decoded = Reference4Bit.dequantize(
            codes: quantized.codes,
            absmax: scales,
            count: values.count,
            blockSize: 64,
            values: Self.nf4.values
        )
        return zip(values, decoded).reduce(0) { sum, pair in
            let d = Double(pair.0) - Double(pair.1)
            return sum + d * d
        }
    }

    @Test func lowersTheErrorOfNormalDataByASeventh() {
        var generator = SeededGenerator(seed: 3)
        let values = (0..<1 << 15).map { _ in
            (0..<12).reduce(Float(0)) { sum, _ in
                sum + Float.random(in: -0.5...0.5, using: &generator)
            }
        }
        let bytes = ReferenceFloat.bytes(of: values, as: .float32)
        let found = search(.selected, bytes, .float32, Self.nf4)
        let plain = Reference4Bit.quantize(values, blockSize: 64, codebook: Self.nf4).absmax
        let ratio = squareError(values, scales: found) / squareError(values, scales: plain)
        // Measured on 2¹⁸ normal values: 0.856; sums of twelve have slightly shorter tails.
        #expect((0.835...0.88).contains(ratio), "\(ratio)")
        for (block, scale) in found.enumerated() {
            #expect((0.62...1.13).contains(scale / plain[block]))
        }
    }

    @Test(arguments: ScaleSearch4BitKernel.supported, FloatElement.allCases)
    func allVariantsFindTheSameScales(kernel: ScaleSearch4BitKernel, element: FloatElement) throws {
        let generic = try #require(ScaleSearch4BitKernel.named("generic"))
        for book in TestCodebook.allCases {
            for count in [0, 1, 15, 16, 17, 63, 64, 65, 1000] {
                let input = KernelInput(
                    count: count,
                    blockSize: 64,
                    as: element,
                    thresholds: book.codebook.thresholds,
                    seed: UInt64(count)
                )
                let expected = search(generic, input.bytes, element, book.codebook)
                let found = search(kernel, input.bytes, element, book.codebook)
                #expect(found.map(\.bitPattern) == expected.map(\.bitPattern), "count \(count)")
            }
        }
    }
}
