import SIMDKernels
import Tensors
import TestSupport
import Testing

@Suite struct Dequantize4BitKernelTests {
    /// Scales that make results ordinary, subnormal in some type, too large, and not finite.
    static let scales: [Float] = [
        0.08, -2, 0, -0.0, .leastNormalMagnitude, 21 * .leastNonzeroMagnitude, 7e-6, 4e-8, 1e5,
        3.4e38, .infinity, .nan, -.infinity, 1,
    ]

    @Test(arguments: Dequantize4BitKernel.supported, FloatDType.allCases)
    func matchesReference(kernel: Dequantize4BitKernel, element: FloatDType) {
        for (number, book) in TestCodebook.allCases.enumerated() {
            for blockSize in Quantize4BitKernelTests.blockSizes {
                for count in Quantize4BitKernelTests.counts(blockSize: blockSize) {
                    let seed = UInt64(number << 40 | blockSize << 20 | count)
                    check(kernel, element, book.codebook, blockSize, count, seed)
                }
            }
        }
    }

    private func check(
        _ kernel: Dequantize4BitKernel,
        _ element: FloatDType,
        _ codebook: Codebook4Bit,
        _ blockSize: Int,
        _ count: Int,
        _ seed: UInt64
    ) {
        var generator = SeededGenerator(seed: seed)
        let packed = (0..<(count + 1) / 2).map { _ in
            UInt8.random(in: .min ... .max, using: &generator)
        }
        let absmax = (0..<(count + blockSize - 1) / blockSize).map { _ in
            Self.scales.randomElement(using: &generator) ?? 1
        }
        let expected = ReferenceFloat.bytes(
            of: Reference4Bit.dequantize(
                codes: packed,
                absmax: absmax,
                count: count,
                blockSize: blockSize,
                values: codebook.values
            ),
            as: element
        )
        for streaming in [false, true] {
            let side: GuardedBuffer.Side = seed % 2 == 0 ? .front : .back
            let codes = GuardedBuffer(packed, at: side)
            let scales = GuardedBuffer(floats: absmax)
            let output = GuardedBuffer(byteCount: count * element.byteCount, at: side)
            var outputSpan = output.bytes.mutableBytes
            kernel.dequantize(
                codes: codes.span.bytes,
                absmax: UnsafeBufferPointer(scales.floats).span,
                count: count,
                blockSize: blockSize,
                values: codebook,
                into: &outputSpan,
                as: element,
                streaming: streaming
            )
            #expect(
                output.content == expected,
                "count \(count), block size \(blockSize), streaming \(streaming), seed \(seed)"
            )
        }
    }

    @Test(arguments: Dequantize4BitKernel.supported, FloatDType.allCases)
    func decodesEveryByte(kernel: Dequantize4BitKernel, element: FloatDType) {
        let codebook = TestCodebook.shuffled.codebook
        let packed = (0...255).map { UInt8($0) }
        let expected = packed.flatMap { byte in
            [codebook.values[Int(byte >> 4)], codebook.values[Int(byte & 15)]]
        }
        let codes = GuardedBuffer(packed)
        let scales = GuardedBuffer(floats: [Float](repeating: 1, count: 8))
        let output = GuardedBuffer(byteCount: 512 * element.byteCount)
        var outputSpan = output.bytes.mutableBytes
        kernel.dequantize(
            codes: codes.span.bytes,
            absmax: UnsafeBufferPointer(scales.floats).span,
            count: 512,
            blockSize: 64,
            values: codebook,
            into: &outputSpan,
            as: element
        )
        #expect(output.content == ReferenceFloat.bytes(of: expected, as: element))
    }
}
