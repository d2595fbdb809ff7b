import Machine
import TestSupport
import Testing

@testable import SIMDKernels

/// Gradients through packed 4-bit weights: every variant at ragged sizes, results ending at guard
/// pages, weights of several chunks of rows.
@Suite struct Multiply4BitTransposedKernelTests {
    /// Those of the products, and weights with more rows than are decoded at once.
    static let cases =
        ProductCase.cases + [
            ProductCase(rows: 7, outputs: 530, inputs: 136, blockSize: 64),
            ProductCase(rows: 1, outputs: 1025, inputs: 64, blockSize: 64),
        ]

    private let codebook = TestCodebook.shuffled.codebook

    private func multiply(
        _ kernel: MultiplyTransposedKernel,
        _ sizes: ProductCase,
        _ operands: ProductOperands,
        _ dy: [Float],
        old: [Float]? = nil,
        threadCount: Int = 2
    ) throws -> [Float] {
        let codes = GuardedBuffer(operands.packedCodes)
        let scales = GuardedBuffer(ReferenceFloat.bytes(of: operands.packedScales, as: .float32))
        let dx = GuardedBuffer(byteCount: 4 * sizes.rows * sizes.inputs)
        let results = dx.bytes.bindMemory(to: Float.self)
        if let old { _ = results.update(fromContentsOf: old) }
        var scratch = try AlignedBuffer(byteCount: 0)
        var span = results.mutableSpan
        try dy.withFloatSpan { dy in
            try kernel.multiply(
                dy,
                rowCount: sizes.rows,
                with: operands.panels,
                codes: UnsafeRawBufferPointer(codes.bytes).bytes,
                scales: UnsafeBufferPointer(scales.bytes.bindMemory(to: Float.self)).span,
                values: codebook,
                into: &span,
                accumulates: old != nil,
                scratch: &scratch,
                on: WorkerPool.shared(threadCount: threadCount)
            )
        }
        return Array(results)
    }

    /// The sums in the documented order, one at a time.
    private func expected(
        _ sizes: ProductCase,
        _ operands: ProductOperands,
        _ dy: [Float],
        old: [Float]? = nil
    ) -> [Float] {
        (0..<sizes.rows).flatMap { row in
            (0..<sizes.inputs).map { column in
                var sum = old?[row * sizes.inputs + column] ?? 0
                for output in 0..<sizes.outputs {
                    let index = output * sizes.inputs + column
                    let element =
                        codebook.values[Int(operands.codes[index])]
                        * operands.scales[index / sizes.blockSize]
                    sum.addProduct(dy[row * sizes.outputs + output], element)
                }
                return sum
            }
        }
    }

    private func gradients(_ sizes: ProductCase) -> [Float] {
        var generator = SeededGenerator(seed: UInt64(sizes.inputs))
        return (0..<sizes.rows * sizes.outputs).map { _ in
            Float.random(in: -2...2, using: &generator)
        }
    }

    @Test(arguments: MultiplyTransposedKernel.compiled(.four, .float32).supported, cases)
    func givesTheBitsOfTheOrder(
        kernel: MultiplyTransposedKernel,
        sizes: ProductCase
    ) throws {
        let operands = try ProductOperands(sizes)
        let dy = gradients(sizes)
        let old = (0..<sizes.rows * sizes.inputs).map { Float($0 % 5) }
        for threadCount in [1, 2, 7] {
            let plain = try multiply(kernel, sizes, operands, dy, threadCount: threadCount)
            #expect(plain == expected(sizes, operands, dy))
            let sum = try multiply(kernel, sizes, operands, dy, old: old, threadCount: threadCount)
            #expect(sum == expected(sizes, operands, dy, old: old))
        }
    }

    /// Sums of rounded operands in float64, and the sums of magnitudes.
    private func exact(
        _ sizes: ProductCase,
        _ operands: ProductOperands,
        _ dy: [Float]
    ) -> [(sum: Double, absoluteSum: Double)] {
        func rounded(_ value: Float) -> Double {
            let bits = ReferenceFloat.bits(of: value, as: .bfloat16)
            return Double(ReferenceFloat.value(of: bits, as: .bfloat16))
        }
        return (0..<sizes.rows).flatMap { row in
            (0..<sizes.inputs).map { column in
                (0..<sizes.outputs).reduce((0.0, 0.0)) { sums, output in
                    let index = output * sizes.inputs + column
                    let element =
                        codebook.values[Int(operands.codes[index])]
                        * operands.scales[index / sizes.blockSize]
                    let product = rounded(dy[row * sizes.outputs + output]) * rounded(element)
                    return (sums.0 + product, sums.1 + product.magnitude)
                }
            }
        }
    }

    @Test(arguments: MultiplyTransposedKernel.compiled(.four, .bfloat16).supported, cases)
    func bfloat16MatchesTheReference(
        kernel: MultiplyTransposedKernel,
        sizes: ProductCase
    ) throws {
        let operands = try ProductOperands(sizes)
        let dy = gradients(sizes)
        let old = (0..<sizes.rows * sizes.inputs).map { Float($0 % 5) }
        let expected = exact(sizes, operands, dy)
        let plain = try multiply(kernel, sizes, operands, dy)
        let sum = try multiply(kernel, sizes, operands, dy, old: old)
        let roundings = Double(sizes.outputs + 2) * 0x1p-24
        for place in expected.indices {
            let (value, absoluteSum) = expected[place]
            #expect((Double(plain[place]) - value).magnitude <= roundings * absoluteSum)
            let before = Double(old[place])
            let error = (Double(sum[place]) - value - before).magnitude
            #expect(error <= roundings * (absoluteSum + before))
        }
        for threadCount in [1, 7] {
            let again = try multiply(kernel, sizes, operands, dy, threadCount: threadCount)
            #expect(again == plain)
        }
    }
}
