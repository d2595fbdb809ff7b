import Machine
import TestSupport
import Testing

@testable import SIMDKernels

/// Products on packed 4-bit weights: every variant at ragged sizes, buffers ending at guard pages.
@Suite struct Multiply4BitKernelTests {
    /// A weight, activations and what their product has to be.
    struct Case: CustomTestStringConvertible {
        let rows: Int
        let outputs: Int
        let inputs: Int
        let blockSize: Int

        var testDescription: String { "\(rows) x \(outputs) x \(inputs), blocks of \(blockSize)" }
    }

    /// One row to several tiles; outputs around the 16 of a panel; blocks that are rows' parts, that
    /// rows are a part of, and that cross the ends of rows.
    static let cases: [Case] = [
        Case(rows: 1, outputs: 1, inputs: 8, blockSize: 32),
        Case(rows: 1, outputs: 15, inputs: 64, blockSize: 64),
        Case(rows: 2, outputs: 16, inputs: 128, blockSize: 64),
        Case(rows: 3, outputs: 17, inputs: 96, blockSize: 64),
        Case(rows: 5, outputs: 31, inputs: 192, blockSize: 128),
        Case(rows: 7, outputs: 33, inputs: 40, blockSize: 32),
        Case(rows: 13, outputs: 48, inputs: 64, blockSize: 4096),
        Case(rows: 14, outputs: 20, inputs: 64, blockSize: 32),
        Case(rows: 15, outputs: 65, inputs: 72, blockSize: 64),
        Case(rows: 29, outputs: 40, inputs: 128, blockSize: 64),
    ]

    private let codebook = TestCodebook.shuffled.codebook

    /// The operands of a case.
    private struct Operands {
        let x: [Float]
        let codes: [UInt8]
        let scales: [Float]
        let panels: PackedPanels
        let packedCodes: [UInt8]
        let packedScales: [Float]

        init(_ sizes: Case) throws {
            var generator = SeededGenerator(seed: UInt64(sizes.rows * 31 + sizes.outputs))
            let count = sizes.outputs * sizes.inputs
            let x = (0..<sizes.rows * sizes.inputs).map { _ in
                Float.random(in: -2...2, using: &generator)
            }
            let codes = (0..<count).map { _ in UInt8.random(in: 0..<16, using: &generator) }
            let scales = (0..<(count + sizes.blockSize - 1) / sizes.blockSize).map { _ in
                Float.random(in: -0.5...1.5, using: &generator)
            }
            let panels = try #require(
                PackedPanels(
                    rowCount: sizes.outputs,
                    columnCount: sizes.inputs,
                    blockSize: sizes.blockSize
                )
            )
            let bytes = stride(from: 0, to: count, by: 2).map { codes[$0] << 4 | codes[$0 + 1] }
            var packedCodes = [UInt8](repeating: 0xFF, count: panels.codeByteCount)
            var packedScales = [Float](repeating: .nan, count: panels.scaleCount)
            bytes.withUnsafeBytes { bytes in
                scales.withFloatSpan { scales in
                    packedCodes.withUnsafeMutableBytes { codes in
                        packedScales.withMutableFloatSpan { packedScales in
                            var codeSpan = codes.mutableBytes
                            panels.pack(
                                codes: bytes.bytes,
                                scales: scales,
                                blockSize: sizes.blockSize,
                                into: &codeSpan,
                                &packedScales
                            )
                        }
                    }
                }
            }
            // Back again, to the byte.
            var canonical = [UInt8](repeating: 0xFF, count: bytes.count)
            packedCodes.withUnsafeBytes { packed in
                canonical.withUnsafeMutableBytes { canonical in
                    var span = canonical.mutableBytes
                    panels.unpack(packed.bytes, into: &span)
                }
            }
            #expect(canonical == bytes)
            (self.x, self.codes, self.scales, self.panels) = (x, codes, scales, panels)
            (self.packedCodes, self.packedScales) = (packedCodes, packedScales)
        }
    }

    /// Multiplies with buffers that end at guard pages.
    private func multiply(
        _ kernel: some Multiply4BitKernel,
        _ sizes: Case,
        _ operands: Operands,
        options: ProductOptions = ProductOptions(),
        old: [Float] = [],
        threadCount: Int = 2
    ) throws -> [Float] {
        let codes = GuardedBuffer(operands.packedCodes)
        let scales = GuardedBuffer(
            ReferenceFloat.bytes(of: operands.packedScales, as: .float32)
        )
        let y = GuardedBuffer(byteCount: 4 * sizes.rows * sizes.outputs)
        let outputs = y.bytes.bindMemory(to: Float.self)
        if !old.isEmpty { _ = outputs.update(fromContentsOf: old) }
        var scratch = try AlignedBuffer(byteCount: 0)
        var span = outputs.mutableSpan
        try operands.x.withFloatSpan { x in
            try kernel.multiply(
                x,
                rowCount: sizes.rows,
                with: operands.panels,
                codes: UnsafeRawBufferPointer(codes.bytes).bytes,
                scales: UnsafeBufferPointer(scales.bytes.bindMemory(to: Float.self)).span,
                values: codebook,
                into: &span,
                options: options,
                scratch: &scratch,
                on: WorkerPool.shared(threadCount: threadCount)
            )
        }
        return Array(outputs)
    }

    private func check(_ kernel: some Multiply4BitKernel, _ sizes: Case) throws {
        let operands = try Operands(sizes)
        let expected = ReferenceMultiply4Bit.multiply(
            operands.x,
            codes: operands.codes,
            scales: operands.scales,
            rowCount: sizes.outputs,
            columnCount: sizes.inputs,
            blockSize: sizes.blockSize,
            values: codebook.values,
            mode: type(of: kernel).mode
        )
        let found = try multiply(kernel, sizes, operands)
        #expect(found.count == expected.count)
        // A sum of K products, and one multiplication and sum for each group of at least 8.
        let roundings = Double(sizes.inputs + sizes.inputs / 8 + 2)
        for (index, (found, expected)) in zip(found, expected).enumerated() {
            let bound = roundings * 0x1p-24 * expected.absoluteSum
            let error = (Double(found) - expected.value).magnitude
            #expect(error <= bound, "output \(index): \(found), \(expected.value) ± \(bound)")
        }
    }

    @Test(arguments: Multiply4BitFloat32Kernel.supported, cases)
    func float32MatchesTheReference(kernel: Multiply4BitFloat32Kernel, sizes: Case) throws {
        try check(kernel, sizes)
    }

    @Test(arguments: Multiply4BitBFloat16Kernel.supported, cases)
    func bfloat16MatchesTheReference(kernel: Multiply4BitBFloat16Kernel, sizes: Case) throws {
        try check(kernel, sizes)
    }

    @Test(arguments: cases) func float32GivesTheSameBitsEverywhere(sizes: Case) throws {
        let operands = try Operands(sizes)
        var results: Set<[UInt32]> = []
        for kernel in Multiply4BitFloat32Kernel.supported {
            for threadCount in [1, 2, 7] {
                let y = try multiply(kernel, sizes, operands, threadCount: threadCount)
                results.insert(y.map(\.bitPattern))
            }
        }
        #expect(results.count == 1)
    }

    @Test(arguments: Multiply4BitBFloat16Kernel.supported)
    func bfloat16GivesTheSameBitsForAnyThreads(kernel: Multiply4BitBFloat16Kernel) throws {
        for sizes in Self.cases {
            let operands = try Operands(sizes)
            let results = try [1, 2, 7].map {
                try multiply(kernel, sizes, operands, threadCount: $0).map(\.bitPattern)
            }
            #expect(Set(results).count == 1, "\(sizes.testDescription)")
        }
    }

    @Test func addsBiasAndOldOutputs() throws {
        func check(_ kernel: some Multiply4BitKernel) throws {
            for sizes in Self.cases {
                let operands = try Operands(sizes)
                let plain = try multiply(kernel, sizes, operands)
                var options = ProductOptions()
                options.bias = (0..<sizes.outputs).map { Float($0) / 8 - 1 }
                let bias = options.bias ?? []
                let biased = try multiply(kernel, sizes, operands, options: options)
                let expected = plain.enumerated().map { $1 + bias[$0 % sizes.outputs] }
                #expect(biased == expected)
                options.accumulates = true
                let old = plain.indices.map { Float($0 % 5) }
                let sum = try multiply(kernel, sizes, operands, options: options, old: old)
                #expect(sum == zip(old, expected).map(+))
            }
        }
        for kernel in Multiply4BitFloat32Kernel.supported { try check(kernel) }
        for kernel in Multiply4BitBFloat16Kernel.supported { try check(kernel) }
    }

    @Test func packsOnlyWhereScalesHoldForEightElements() {
        #expect(PackedPanels(rowCount: 3, columnCount: 100, blockSize: 64) == nil)
        #expect(PackedPanels(rowCount: 3, columnCount: 7, blockSize: 32) == nil)
        #expect(PackedPanels(rowCount: 0, columnCount: 64, blockSize: 64) == nil)
        #expect(PackedPanels(rowCount: 3, columnCount: 576, blockSize: 128)?.group == 64)
        #expect(PackedPanels(rowCount: 3, columnCount: 96, blockSize: 4096)?.group == 32)
        #expect(PackedPanels(rowCount: 17, columnCount: 64, blockSize: 64)?.panelCount == 2)
    }

    @Test func tilesOfRowsAreBalanced() {
        #expect(
            [1, 8, 14, 15, 28, 29, 32, 512].map(TileRows.count) == [1, 8, 14, 8, 14, 10, 11, 14]
        )
    }

    @Test func aForcedSetWithoutAVariantUsesOneThatNeedsNoMore() {
        #expect(Multiply4BitBFloat16Kernel.preferred(forced: "avx2").name == "generic")
        #expect(Multiply4BitBFloat16Kernel.preferred(forced: "generic").name == "generic")
        #expect(Multiply4BitFloat32Kernel.preferred(forced: "neon").name == "generic")
    }
}
