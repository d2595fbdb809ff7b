import Machine
import SIMDKernels
import TestSupport
import Testing

@Suite struct KernelThreadsTests {
    @Test func givesTheSameBitsForEveryThreadCount() {
        let codebook = TestCodebook.ascending.codebook
        let count = 64 * 1000 + 17
        let input = KernelInput(
            count: count,
            blockSize: 64,
            as: .bfloat16,
            thresholds: codebook.thresholds,
            seed: 11
        )
        var results: [[UInt8]] = []
        for threadCount in [1, 2, 3, 7, 16] {
            var codes = [UInt8](repeating: 0, count: (count + 1) / 2)
            var absmax = [Float](repeating: 0, count: 1001)
            input.bytes.withUnsafeBytes { input in
                codes.withUnsafeMutableBytes { codes in
                    absmax.withUnsafeMutableBufferPointer { absmax in
                        let elements = input.bytes
                        var codeSpan = codes.mutableBytes
                        var absmaxSpan = absmax.mutableSpan
                        WorkerPool(threadCount: threadCount).perform(
                            writing: &codeSpan,
                            every: 32 * 10,
                            and: &absmaxSpan,
                            every: 10
                        ) { index, _, codes, absmax in
                            let start = index * 1280
                            let end = min(start + 1280, elements.byteCount)
                            Quantize4BitKernel.selected.quantize(
                                elements.extracting(start..<end),
                                as: .bfloat16,
                                blockSize: 64,
                                codebook: codebook,
                                codes: &codes,
                                absmax: &absmax
                            )
                        }
                    }
                }
            }
            results.append(codes + ReferenceFloat.bytes(of: absmax, as: .float32))
        }
        #expect(Set(results).count == 1)
        let expected = Reference4Bit.quantize(input.elements, blockSize: 64, codebook: codebook)
        #expect(results[0].prefix(expected.codes.count) == expected.codes[...])
    }
}
