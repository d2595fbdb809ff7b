import Machine
import TestSupport
import Testing

@testable import SIMDKernels

/// Products on packed 4-bit weights: every variant at ragged sizes, buffers ending at guard pages.
@Suite struct Multiply4BitKernelTests {
    private let codebook = TestCodebook.shuffled.codebook

    /// Multiplies with buffers that end at guard pages.
    private func multiply(
        _ kernel: MultiplyKernel,
        _ sizes: ProductCase,
        _ operands: ProductOperands,
        x: [Float]? = nil,
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
        try (x ?? operands.x).withFloatSpan { x in
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

    private func check(_ kernel: MultiplyKernel, _ sizes: ProductCase) throws {
        let operands = try ProductOperands(sizes)
        let expected = ReferenceMultiply4Bit.multiply(
            operands.x,
            codes: operands.codes,
            scales: operands.scales,
            rowCount: sizes.outputs,
            columnCount: sizes.inputs,
            blockSize: sizes.blockSize,
            codebook: codebook,
            mode: kernel.mode
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

    @Test(arguments: MultiplyKernel.compiled(.four, .float32).supported, ProductCase.cases)
    func float32MatchesTheReference(kernel: MultiplyKernel, sizes: ProductCase) throws {
        try check(kernel, sizes)
    }

    @Test(arguments: MultiplyKernel.compiled(.four, .bfloat16).supported, ProductCase.cases)
    func bfloat16MatchesTheReference(kernel: MultiplyKernel, sizes: ProductCase) throws {
        try check(kernel, sizes)
    }

    @Test(arguments: MultiplyKernel.compiled(.four, .int8).supported, ProductCase.cases)
    func int8MatchesTheReference(kernel: MultiplyKernel, sizes: ProductCase) throws {
        try check(kernel, sizes)
    }

    @Test(arguments: ProductCase.cases)
    func float32AndInt8GiveTheSameBitsEverywhere(sizes: ProductCase) throws {
        let operands = try ProductOperands(sizes)
        func results(_ kernels: [MultiplyKernel]) throws -> Set<[UInt32]> {
            var results: Set<[UInt32]> = []
            for kernel in kernels {
                for threadCount in [1, 2, 7] {
                    let y = try multiply(kernel, sizes, operands, threadCount: threadCount)
                    results.insert(y.map(\.bitPattern))
                }
            }
            return results
        }
        let float32 = try results(MultiplyKernel.compiled(.four, .float32).supported)
        #expect(float32.count == 1)
        let int8 = try results(MultiplyKernel.compiled(.four, .int8).supported)
        #expect(int8.count == 1)
    }

    /// Activations that are zero, tiny, huge or no numbers at all, in the runs of int8.
    @Test(arguments: MultiplyKernel.compiled(.four, .int8).supported)
    func int8HandlesAllActivations(kernel: MultiplyKernel) throws {
        let sizes = ProductCase(rows: 6, outputs: 20, inputs: 128, blockSize: 64)
        let operands = try ProductOperands(sizes)
        func row(_ values: [Float]) -> [Float] { (0..<128).map { values[$0 % values.count] } }
        let rows: [[Float]] = [
            row([0]), row([0x1p-149, 0x1.8p-140]), row([0x1p100, 0, -1]),
            row([1, .nan, 2]), row([-.infinity, 1]), row([3, -4]),
        ]
        let y = try multiply(kernel, sizes, operands, x: rows.flatMap(\.self))
        let outputs = stride(from: 0, to: y.count, by: 20).map { Array(y[$0..<$0 + 20]) }
        #expect(outputs[0].allSatisfy { $0 == 0 })
        #expect(outputs[1].allSatisfy { $0.magnitude < 0x1p-130 })
        #expect(outputs[2].allSatisfy { $0.isFinite })
        #expect(outputs[3].allSatisfy { $0.isNaN })
        #expect(outputs[4].allSatisfy { $0.isNaN })
        #expect(outputs[5].allSatisfy { $0.isFinite } && outputs[5].contains { $0 != 0 })
    }

    @Test func int8ValuesAreNearTheirs() {
        for codebook in [TestCodebook.shuffled.codebook, TestCodebook.signAndMagnitude.codebook] {
            let largest = codebook.values.map(\.magnitude).max() ?? 0
            for (value, multiple) in zip(codebook.values, codebook.int8Values) {
                let error = (value - Float(multiple) * codebook.int8Step).magnitude
                #expect(error <= codebook.int8Step * 0.5001 && multiple.magnitude <= 127)
            }
            #expect(codebook.int8Step <= largest / 64)
        }
    }

    @Test(arguments: MultiplyKernel.compiled(.four, .bfloat16).supported)
    func bfloat16GivesTheSameBitsForAnyThreads(kernel: MultiplyKernel) throws {
        for sizes in ProductCase.cases {
            let operands = try ProductOperands(sizes)
            let results = try [1, 2, 7].map {
                try multiply(kernel, sizes, operands, threadCount: $0).map(\.bitPattern)
            }
            #expect(Set(results).count == 1, "\(sizes.testDescription)")
        }
    }

    @Test func addsBiasAndOldOutputs() throws {
        func check(_ kernel: MultiplyKernel) throws {
            for sizes in ProductCase.cases {
                let operands = try ProductOperands(sizes)
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
        for kernel in MultiplyKernel.compiled(.four, .float32).supported { try check(kernel) }
        for kernel in MultiplyKernel.compiled(.four, .bfloat16).supported { try check(kernel) }
        for kernel in MultiplyKernel.compiled(.four, .int8).supported { try check(kernel) }
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
            [0, 1, 8, 14, 15, 28, 29, 32, 512].map { rowCount in
                PackedRows(
                    rowCount: rowCount,
                    columnCount: 64,
                    group: 64,
                    packing: 0,
                    limit: 14
                ).tileRowCount
            } == [0, 1, 8, 14, 8, 14, 10, 11, 14]
        )
    }

    @Test func aForcedSetWithoutAVariantUsesOneThatNeedsNoMore() {
        #expect(
            MultiplyKernel.compiled(.four, .bfloat16).preferred(forced: "neon").name == "generic"
        )
        #expect(
            MultiplyKernel.compiled(.four, .bfloat16).preferred(forced: "generic").name == "generic"
        )
        #expect(
            MultiplyKernel.compiled(.four, .float32).preferred(forced: "neon").name == "generic"
        )
    }
}
