import Foundation
import SIMDKernels
import Tensors
import TestSupport
import Testing

@Suite struct ScaleSearch4BitKernelTests {
    /// The tables, whose numbers matter for the quality.
    enum Format: Sendable {
        case nf4, fp4

        /// The error after a search over the error before it.
        ///
        /// Measured over 20 seeds of 2^16 values each: a mean of 0.8578 with a standard deviation of
        /// 0.0036 for NF4, and 0.8540 with 0.0035 for FP4; four deviations either way are allowed.
        var expectedRatio: ClosedRange<Double> {
            switch self {
            case .nf4: 0.843...0.873
            case .fp4: 0.840...0.868
            }
        }

        var codebook: Codebook4Bit {
            switch self {
            case .nf4:
                // QLoRA (Dettmers and others 2023), appendix E.
                let values: [Float] = [
                    -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
                    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
                    0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
                    0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                    0.7229568362236023, 1,
                ]
                return Codebook4Bit(
                    values: values,
                    thresholds: zip(values, values.dropFirst()).map { ($0 + $1) * 0.5 },
                    codeOfRank: Array(0..<16),
                    rule: .ascending
                )
            case .fp4:
                // One bit of sign, two of exponent, one of mantissa, over 12.
                let values = [0, 0.0625, 8, 12, 4, 6, 2, 3].map { Float($0) / 12 }
                let sorted = values.sorted()
                return Codebook4Bit(
                    values: values + values.map { -$0 },
                    thresholds: zip(sorted, sorted.dropFirst()).map { ($0 + $1) * 0.5 },
                    codeOfRank: [0, 1, 6, 7, 4, 5, 2, 3],
                    rule: .signAndMagnitude
                )
            }
        }
    }

    private func search(
        _ kernel: ScaleSearch4BitKernel,
        _ bytes: [UInt8],
        _ element: FloatDType,
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

    /// The squared error of each block with the given scales.
    private func squareErrors(
        _ values: [Float],
        scales: [Float],
        _ codebook: Codebook4Bit
    ) -> [Double] {
        let codes = Reference4Bit.quantize(
            values,
            blockSize: 64,
            codebook: codebook,
            scales: scales
        ).codes
        let decoded = Reference4Bit.dequantize(
            codes: codes,
            absmax: scales,
            count: values.count,
            blockSize: 64,
            values: codebook.values
        )
        var errors = [Double](repeating: 0, count: scales.count)
        for index in values.indices {
            let d = Double(values[index]) - Double(decoded[index])
            errors[index / 64] += d * d
        }
        return errors
    }

    private func normalValues(_ count: Int, seed: UInt64) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &generator))).squareRoot()
            return Float(radius * cos(2 * .pi * Double.random(in: 0..<1, using: &generator)))
        }
    }

    @Test(arguments: [Format.nf4, .fp4], [1, 2, 3, 4, 5, 6])
    func lowersTheErrorOfNormalDataByAnEighthOrMore(format: Format, seed: UInt64) {
        let values = normalValues(1 << 16, seed: seed)
        let bytes = ReferenceFloat.bytes(of: values, as: .float32)
        let book = format.codebook
        let found = search(.selected, bytes, .float32, book)
        let plain = Reference4Bit.quantize(values, blockSize: 64, codebook: book).absmax
        let foundErrors = squareErrors(values, scales: found, book)
        let plainErrors = squareErrors(values, scales: plain, book)
        let ratio = foundErrors.reduce(0, +) / plainErrors.reduce(0, +)
        #expect(format.expectedRatio.contains(ratio), "seed \(seed): \(ratio)")
        for (block, scale) in found.enumerated() {
            #expect((0.62...1.13).contains(scale / plain[block]))
        }
    }

    @Test(arguments: [Format.nf4, .fp4], FloatDType.allCases)
    func isNeverWorseThanTheLargestMagnitudeInAnyBlock(format: Format, element: FloatDType) {
        let book = format.codebook
        let input = KernelInput(
            count: 64 * 200 + 7,
            blockSize: 64,
            as: element,
            thresholds: book.thresholds,
            seed: 11
        )
        let found = search(.selected, input.bytes, element, book)
        let plain = Reference4Bit.quantize(input.elements, blockSize: 64, codebook: book).absmax
        let foundErrors = squareErrors(input.elements, scales: found, book)
        let plainErrors = squareErrors(input.elements, scales: plain, book)
        for block in found.indices where plain[block].isFinite {
            // The search adds up in float32: a difference, a square, four additions to a partial sum
            // and four that join them, less than sixteen roundings of 2⁻²⁴ in all.
            #expect(foundErrors[block] <= plainErrors[block] * (1 + 0x1p-20), "block \(block)")
        }
    }

    @Test(arguments: ScaleSearch4BitKernel.supported, FloatDType.allCases)
    func matchesReference(kernel: ScaleSearch4BitKernel, element: FloatDType) {
        for book in TestCodebook.allCases {
            for count in [0, 1, 15, 16, 17, 63, 64, 65, 1000] {
                let input = KernelInput(
                    count: count,
                    blockSize: 64,
                    as: element,
                    thresholds: book.codebook.thresholds,
                    seed: UInt64(count)
                )
                let expected = ReferenceScaleSearch4Bit.scales(
                    input.elements,
                    blockSize: 64,
                    codebook: book.codebook
                )
                let found = search(kernel, input.bytes, element, book.codebook)
                #expect(found.map(\.bitPattern) == expected.map(\.bitPattern), "count \(count)")
            }
        }
    }
}
