import Machine
import SIMDKernels
import Tensors
import TestSupport
import Testing

@Suite struct MultiplyDenseKernelTests {
    private static let kernels = [false, true].flatMap {
        MultiplyDenseKernel.compiled(isTransposed: $0).supported
    }

    @Test(arguments: kernels, FloatDType.allCases)
    func multipliesAsReference(kernel: MultiplyDenseKernel, element: FloatDType) {
        for (rows, outputs, inner) in [
            (1, 1, 1), (1, 5, 3), (2, 4, 16), (3, 9, 17), (6, 33, 64), (7, 7, 31), (13, 66, 129),
            (1, 1000, 16), (7, 200, 5), (67, 16, 129), (64, 3, 300), (7, 700, 200),
        ] {
            var generator = SeededGenerator(seed: UInt64(rows * 1000 + inner))
            let x = generator.floats(rows * inner)
            let bytes = ReferenceFloat.bytes(of: generator.floats(outputs * inner), as: element)
            let weights = ReferenceFloat.values(in: bytes, as: element)
            let bias = generator.floats(outputs)
            let before = generator.floats(rows * outputs)
            let buffer = GuardedBuffer(bytes)
            var options = ProductOptions()
            options.bias = bias
            options.accumulates = true
            var results: [[Float]] = []
            for threads in [1, 3] {
                var y = before
                x.withFloatSpan { x in
                    y.withMutableFloatSpan {
                        kernel.multiply(
                            x,
                            with: buffer.span.bytes,
                            as: element,
                            innerCount: inner,
                            into: &$0,
                            options: options,
                            on: WorkerPool(threadCount: threads)
                        )
                    }
                }
                results.append(y)
            }
            #expect(results[0] == results[1])
            for row in 0..<rows {
                for output in 0..<outputs {
                    let place = row * outputs + output
                    var sum = Double(before[place]) + Double(bias[output])
                    var magnitude = sum.magnitude
                    for k in 0..<inner {
                        let weight =
                            kernel.isTransposed
                            ? weights[k * outputs + output] : weights[output * inner + k]
                        let product = Double(x[row * inner + k]) * Double(weight)
                        sum += product
                        magnitude += product.magnitude
                    }
                    // A rounding of each sum and product, at most 2^-24 of the magnitudes each.
                    let bound = Double(inner + 3) * 0x1p-24 * magnitude
                    #expect((Double(results[0][place]) - sum).magnitude <= bound)
                }
            }
        }
    }
}

extension SeededGenerator {
    /// Numbers between -1 and 1.
    mutating func floats(_ count: Int) -> [Float] {
        (0..<count).map { _ in Float.random(in: -1...1, using: &self) }
    }
}
