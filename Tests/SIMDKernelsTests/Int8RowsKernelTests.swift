import SIMDKernels
import Tensors
import TestSupport
import Testing

/// Shapes with ragged rows, each of which starts at another alignment.
private let shapes: [(rowCount: Int, columnCount: Int)] =
    raggedCounts.filter { $0 < 300 }.map { (3, $0) } + [(0, 5), (1, 4097), (12, 64), (2, 2048)]

@Suite struct QuantizeInt8RowsKernelTests {
    @Test(arguments: QuantizeInt8RowsKernel.supported, FloatDType.allCases)
    func matchesReference(kernel: QuantizeInt8RowsKernel, element: FloatDType) {
        for (rowCount, columnCount) in shapes {
            for seed in UInt64(0)..<6 {
                let input = KernelInput(
                    count: rowCount * columnCount,
                    blockSize: max(1, columnCount),
                    as: element,
                    thresholds: [0.5 / 127, 1.5 / 127, 63.5 / 127, 0.25],
                    seed: seed << 32 | UInt64(columnCount)
                )
                let expected = ReferenceInt8Rows.quantize(
                    input.elements,
                    rowCount: rowCount,
                    columnCount: columnCount
                )
                let side: GuardedBuffer.Side = seed % 2 == 0 ? .back : .front
                let bytes = GuardedBuffer(input.bytes, at: side)
                let codes = GuardedBuffer(byteCount: rowCount * columnCount, at: side)
                let scales = GuardedBuffer(byteCount: rowCount * 4)
                var codeSpan = codes.bytes.mutableBytes
                var scaleSpan = scales.floats.mutableSpan
                kernel.quantize(
                    bytes.span.bytes,
                    as: element,
                    rowCount: rowCount,
                    columnCount: columnCount,
                    codes: &codeSpan,
                    scales: &scaleSpan
                )
                let place: Comment = "[\(rowCount), \(columnCount)], seed \(seed)"
                #expect(codes.content.map { Int8(bitPattern: $0) } == expected.codes, place)
                #expect(
                    scales.floats.map(\.bitPattern) == expected.scales.map(\.bitPattern),
                    place
                )
            }
        }
    }

    /// 70000 is above the largest float16 and 1e-9 below the smallest.
    @Test(arguments: QuantizeInt8RowsKernel.supported)
    func roundsToFloat16First(kernel: QuantizeInt8RowsKernel) {
        let rows: [[Float]] = [[70000, 1, -1, 2], [1e-9, -1e-9, 0, 0], [127, 2.5, 3.5, -2.5]]
        let bytes = ReferenceFloat.bytes(of: rows.flatMap { $0 }, as: .float32)
        let input = GuardedBuffer(bytes)
        let codes = GuardedBuffer(byteCount: 12)
        let scales = GuardedBuffer(byteCount: 12)
        var codeSpan = codes.bytes.mutableBytes
        var scaleSpan = scales.floats.mutableSpan
        kernel.quantize(
            input.span.bytes,
            as: .float32,
            rowCount: 3,
            columnCount: 4,
            codes: &codeSpan,
            scales: &scaleSpan
        )
        #expect(Array(scales.floats) == [.infinity, 0, 127])
        let signed = codes.content.map { Int8(bitPattern: $0) }
        #expect(signed == [0, 0, 0, 0, 0, 0, 0, 0, 127, 2, 4, -2])
    }
}

@Suite struct DequantizeInt8RowsKernelTests {
    @Test(arguments: DequantizeInt8RowsKernel.supported, FloatDType.allCases)
    func matchesReference(kernel: DequantizeInt8RowsKernel, element: FloatDType) {
        for (rowCount, columnCount) in shapes {
            for seed in UInt64(0)..<8 {
                var generator = SeededGenerator(seed: seed << 32 | UInt64(columnCount))
                let codes = (0..<rowCount * columnCount).map { _ in
                    Int8.random(in: .min ... .max, using: &generator)
                }
                let scales = (0..<rowCount).map { _ in
                    Dequantize4BitKernelTests.scales.randomElement(using: &generator) ?? 1
                }
                let expected = ReferenceFloat.bytes(
                    of: ReferenceInt8Rows.dequantize(
                        codes: codes,
                        scales: scales,
                        rowCount: rowCount,
                        columnCount: columnCount
                    ),
                    as: element
                )
                let side: GuardedBuffer.Side = seed % 4 < 2 ? .back : .front
                let input = GuardedBuffer(codes.map { UInt8(bitPattern: $0) }, at: side)
                let given = GuardedBuffer(floats: scales)
                let output = GuardedBuffer(byteCount: expected.count, at: side)
                var outputSpan = output.bytes.mutableBytes
                kernel.dequantize(
                    codes: input.span.bytes,
                    scales: UnsafeBufferPointer(given.floats).span,
                    rowCount: rowCount,
                    columnCount: columnCount,
                    into: &outputSpan,
                    as: element,
                    streaming: seed % 2 == 1
                )
                #expect(
                    output.content == expected,
                    "[\(rowCount), \(columnCount)], seed \(seed), scales \(scales)"
                )
            }
        }
    }
}
