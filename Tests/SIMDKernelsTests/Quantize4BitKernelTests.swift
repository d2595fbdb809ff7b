import SIMDKernels
import Tensors
import TestSupport
import Testing

@Suite struct Quantize4BitKernelTests {
    static let blockSizes = [2, 6, 30, 32, 34, 64, 96, 128, 256, 512, 1024, 2048, 4096]

    /// Counts around the ends of groups and blocks, in addition to the ragged ones that fit.
    static func counts(blockSize: Int) -> [Int] {
        guard blockSize < 512 else { return [blockSize, blockSize + 65] }
        let ends = [1, 2, 3].flatMap { [$0 * blockSize - 1, $0 * blockSize, $0 * blockSize + 1] }
        let ragged = raggedCounts.filter { $0 < min(4 * blockSize, 150) }
        return Set(ragged + ends + [2 * blockSize + 31, 2 * blockSize + 33]).sorted()
    }

    @Test(arguments: Quantize4BitKernel.supported, FloatDType.allCases)
    func matchesReference(kernel: Quantize4BitKernel, element: FloatDType) {
        for (number, book) in TestCodebook.allCases.enumerated() {
            for blockSize in Self.blockSizes {
                for count in Self.counts(blockSize: blockSize) {
                    let seed = UInt64(number << 40 | blockSize << 20 | count)
                    check(kernel, element, book.codebook, blockSize, count, seed)
                }
            }
        }
    }

    private func check(
        _ kernel: Quantize4BitKernel,
        _ element: FloatDType,
        _ codebook: Codebook4Bit,
        _ blockSize: Int,
        _ count: Int,
        _ seed: UInt64
    ) {
        let input = KernelInput(
            count: count,
            blockSize: blockSize,
            as: element,
            thresholds: codebook.thresholds,
            seed: seed
        )
        let expected = Reference4Bit.quantize(
            input.elements,
            blockSize: blockSize,
            codebook: codebook
        )
        // The side makes the addresses odd, too: a buffer before its guard page has any alignment.
        let side: GuardedBuffer.Side = seed % 3 == 0 ? .front : .back
        let bytes = GuardedBuffer(input.bytes, at: side)
        let codes = GuardedBuffer(byteCount: (count + 1) / 2, at: side)
        let absmax = GuardedBuffer(byteCount: expected.absmax.count * 4)
        var codeSpan = codes.bytes.mutableBytes
        var absmaxSpan = absmax.floats.mutableSpan
        kernel.quantize(
            bytes.span.bytes,
            as: element,
            blockSize: blockSize,
            codebook: codebook,
            codes: &codeSpan,
            absmax: &absmaxSpan
        )
        let place: Comment = "count \(count), block size \(blockSize), seed \(seed)"
        #expect(codes.content == expected.codes, place)
        #expect(absmax.floats.map(\.bitPattern) == expected.absmax.map(\.bitPattern), place)
    }

    @Test(arguments: Quantize4BitKernel.supported, FloatDType.allCases)
    func matchesReferenceWithGivenScales(kernel: Quantize4BitKernel, element: FloatDType) {
        let special: [Float] = [
            1, -0.3, 0.07, 0, -0.0, .nan, .infinity, .leastNormalMagnitude / 100,
            -7 * .leastNonzeroMagnitude, 3e38, .leastNormalMagnitude,
        ]
        for (number, book) in TestCodebook.allCases.enumerated() {
            for (blockSize, count) in [(32, 703), (64, 1100), (30, 333), (256, 2816), (2048, 5000)]
            {
                let seed = UInt64(number << 40 | blockSize << 20 | count)
                let input = KernelInput(
                    count: count,
                    blockSize: blockSize,
                    as: element,
                    thresholds: book.codebook.thresholds,
                    seed: seed
                )
                let scaleCount = (count + blockSize - 1) / blockSize
                let scales = (0..<scaleCount).map { special[($0 + number) % special.count] }
                let expected = Reference4Bit.quantize(
                    input.elements,
                    blockSize: blockSize,
                    codebook: book.codebook,
                    scales: scales
                )
                let bytes = GuardedBuffer(input.bytes)
                let given = GuardedBuffer(floats: scales)
                let codes = GuardedBuffer(byteCount: (count + 1) / 2)
                var codeSpan = codes.bytes.mutableBytes
                kernel.quantize(
                    bytes.span.bytes,
                    as: element,
                    blockSize: blockSize,
                    codebook: book.codebook,
                    scales: UnsafeBufferPointer(given.floats).span,
                    codes: &codeSpan
                )
                #expect(codes.content == expected.codes, "\(book), block size \(blockSize)")
            }
        }
    }

    @Test(arguments: Quantize4BitKernel.supported, FloatDType.allCases)
    func readsAndWritesAtAnyAlignment(kernel: Quantize4BitKernel, element: FloatDType) {
        let codebook = TestCodebook.ascending.codebook
        let count = 259
        let input = KernelInput(
            count: count,
            blockSize: 64,
            as: element,
            thresholds: codebook.thresholds,
            seed: 7
        )
        let expected = Reference4Bit.quantize(input.elements, blockSize: 64, codebook: codebook)
        for offset in 0..<33 {
            let bytes = GuardedBuffer(
                [UInt8](repeating: 0, count: offset) + input.bytes,
                at: .front
            )
            let codes = GuardedBuffer(byteCount: offset + (count + 1) / 2, at: .front)
            var absmax = [Float](repeating: 0, count: 5)
            let inner = UnsafeMutableRawBufferPointer(rebasing: codes.bytes[offset...])
            var codeSpan = inner.mutableBytes
            absmax.withUnsafeMutableBufferPointer { absmax in
                var absmaxSpan = absmax.mutableSpan
                kernel.quantize(
                    UnsafeRawBufferPointer(rebasing: bytes.span[offset...]).bytes,
                    as: element,
                    blockSize: 64,
                    codebook: codebook,
                    codes: &codeSpan,
                    absmax: &absmaxSpan
                )
            }
            #expect(Array(inner) == expected.codes, "offset \(offset)")
            #expect(codes.content.prefix(offset).allSatisfy { $0 == 0xA5 }, "offset \(offset)")
        }
    }
}
