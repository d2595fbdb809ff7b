import Machine
import TestSupport
import Testing

@testable import SIMDKernels

/// Products of the same activations that are one job.
@Suite struct JointProductTests {
    private static let outputCounts = [40, 17, 96]
    private static let inputCount = 128

    /// The same activations, weights of several sizes, and what they are multiplied with beside.
    private struct Operands {
        let weights: [ProductOperands]
        let x: [Float]

        init(rows: Int) throws {
            weights = try outputCounts.map {
                try ProductOperands(
                    ProductCase(rows: rows, outputs: $0, inputs: inputCount, blockSize: 64)
                )
            }
            x = weights[0].x
        }

        func packed(_ index: Int) throws -> PackedWeight {
            let operands = weights[index]
            var codes = try AlignedBuffer(byteCount: operands.packedCodes.count)
            var scales = try AlignedBuffer(byteCount: 4 * operands.packedScales.count)
            operands.packedCodes.withUnsafeBytes { bytes in
                codes.withMutableBytes { $0.copy(from: bytes.bytes) }
            }
            operands.packedScales.withFloatBytes { bytes in
                scales.withMutableBytes { $0.copy(from: bytes) }
            }
            return try PackedWeight(
                operands.panels,
                values: TestCodebook.shuffled.codebook,
                codes: codes,
                scales: scales
            )
        }
    }

    private func joint(
        _ kernel: MultiplyKernel,
        _ operands: Operands,
        rows: Int,
        threads: Int,
        changes: [[RowChange]],
        addingTo before: Float? = nil
    ) throws -> [[Float]] {
        let terms = try Self.outputCounts.indices.map {
            ProductTerm(
                try operands.packed($0),
                bias: $0 == 1 ? biases : nil,
                changes: changes[$0]
            )
        }
        var y = [Float](repeating: before ?? .nan, count: rows * Self.outputCounts.reduce(0, +))
        var inner: [Float] = []
        var scratch = try AlignedBuffer(byteCount: 0)
        try operands.x.withFloatSpan { x in
            try y.withMutableFloatSpan { y in
                try kernel.multiply(
                    x,
                    rowCount: rows,
                    with: terms,
                    into: &y,
                    accumulates: before != nil,
                    inner: &inner,
                    scratch: &scratch,
                    on: WorkerPool(threadCount: threads)
                )
            }
        }
        var place = 0
        return Self.outputCounts.map { count in
            defer { place += rows * count }
            return Array(y[place..<place + rows * count])
        }
    }

    private let biases = (0..<17).map { Float($0) / 8 - 1 }

    private func alone(
        _ kernel: MultiplyKernel,
        _ operands: Operands,
        _ index: Int,
        rows: Int
    ) throws -> [Float] {
        let weight = try operands.packed(index)
        var y = [Float](repeating: .nan, count: rows * Self.outputCounts[index])
        var scratch = try AlignedBuffer(byteCount: 0)
        var options = ProductOptions()
        options.bias = index == 1 ? biases : nil
        try operands.x.withFloatSpan { x in
            try y.withMutableFloatSpan { y in
                try weight.codes.withBytes { codes in
                    try weight.scales.withFloats(weight.panels.scaleCount) { scales in
                        try kernel.multiply(
                            x,
                            rowCount: rows,
                            with: weight.panels,
                            codes: codes,
                            scales: scales,
                            values: weight.values,
                            into: &y,
                            options: options,
                            scratch: &scratch,
                            on: .single
                        )
                    }
                }
            }
        }
        return y
    }

    private static let kernels = ComputeMode.allCases.flatMap {
        MultiplyKernel.compiled(.four, $0).supported
    }

    @Test(arguments: kernels, [1, 2, 15])
    func productsAreThoseOfEachAlone(kernel: MultiplyKernel, rows: Int) throws {
        let operands = try Operands(rows: rows)
        for threads in [1, 2, 3] {
            let results = try joint(
                kernel,
                operands,
                rows: rows,
                threads: threads,
                changes: [[], [], []]
            )
            let added = try joint(
                kernel,
                operands,
                rows: rows,
                threads: threads,
                changes: [[], [], []],
                addingTo: 0.75
            )
            for index in results.indices {
                let expected = try alone(kernel, operands, index, rows: rows)
                #expect(results[index] == expected)
                #expect(added[index] == expected.map { $0 + 0.75 })
            }
        }
    }

    /// The first weight has a change for all rows, the second none, the third two for some rows each.
    @Test(arguments: kernels, [1, 5])
    func changesAreAdded(kernel: MultiplyKernel, rows: Int) throws {
        let operands = try Operands(rows: rows)
        var generator = SeededGenerator(seed: UInt64(rows))
        let arena = MemoryArena(expecting: 0)
        var factors: [(a: [Float], b: [Float], bias: [Float]?, rows: Range<Int>)] = []
        for (outputs, rank, bias, range) in [
            (40, 4, true, 0..<rows), (96, 3, false, 0..<rows / 2), (96, 16, true, rows / 2..<rows),
        ] {
            factors.append(
                (
                    generator.floats(rank * Self.inputCount), generator.floats(rank * outputs),
                    bias ? generator.floats(outputs) : nil, range
                )
            )
        }
        let changes = try factors.map {
            RowChange(
                try LowRankChange(
                    a: $0.a,
                    b: $0.b,
                    rank: $0.a.count / Self.inputCount,
                    bias: $0.bias,
                    in: arena
                ),
                rows: $0.rows
            )
        }
        let arranged = [[changes[0]], [], [changes[1], changes[2]]]
        let results = try joint(kernel, operands, rows: rows, threads: 1, changes: arranged)
        #expect(
            try joint(kernel, operands, rows: rows, threads: 3, changes: arranged) == results
        )
        #expect(results[1] == (try alone(kernel, operands, 1, rows: rows)))
        for (index, own) in [(0, factors[..<1]), (2, factors[1...])] {
            let outputs = Self.outputCounts[index]
            let before = try alone(kernel, operands, index, rows: rows)
            for factor in own {
                let rank = factor.a.count / Self.inputCount
                let a = factor.a.map { Double(bfloat16($0)) }
                let b = factor.b.map { Double(bfloat16($0)) }
                for row in factor.rows {
                    let h = (0..<rank).map { r in
                        (0..<Self.inputCount).reduce(0.0) {
                            $0 + Double(operands.x[row * Self.inputCount + $1])
                                * a[r * Self.inputCount + $1]
                        }
                    }
                    for output in 0..<outputs {
                        var expected = Double(before[row * outputs + output])
                        expected += Double(factor.bias?[output] ?? 0)
                        for r in 0..<rank { expected += h[r] * b[r * outputs + output] }
                        let found = Double(results[index][row * outputs + output])
                        #expect((found - expected).magnitude < 2e-4, "\(index) \(row) \(output)")
                    }
                }
            }
        }
    }

    private func bfloat16(_ value: Float) -> Float {
        let bits = value.bitPattern
        return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
    }
}
