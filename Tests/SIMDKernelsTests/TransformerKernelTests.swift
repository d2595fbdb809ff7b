import Foundation
import Machine
import SIMDKernels
import Tensors
import TestSupport
import Testing

@Suite struct TransformerKernelTests {
    private static let counts = [1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 100, 576]

    @Test(arguments: TransformerKernel.supported, counts)
    func normalizesRows(kernel: TransformerKernel, width: Int) {
        var generator = SeededGenerator(seed: UInt64(width))
        let (x, weight) = (generator.floats(3 * width), generator.floats(width))
        var y = [Float](repeating: .nan, count: x.count)
        var inPlace = x
        x.withFloatSpan { x in
            y.withMutableFloatSpan { kernel.normalize(x, weight: weight, epsilon: 1e-5, into: &$0) }
        }
        inPlace.withMutableFloatSpan { kernel.normalize(&$0, weight: weight, epsilon: 1e-5) }
        #expect(y == inPlace)
        for row in 0..<3 {
            let own = x[row * width..<(row + 1) * width].map(Double.init)
            let mean = own.reduce(0) { $0 + $1 * $1 } / Double(width)
            for column in 0..<width {
                let expected = own[column] / (mean + 1e-5).squareRoot() * Double(weight[column])
                let error = (Double(y[row * width + column]) - expected).magnitude
                #expect(error <= 4e-7 * expected.magnitude + 1e-30)
            }
        }
    }

    @Test(arguments: TransformerKernel.supported, [1, 3, 8, 10, 16, 32, 40])
    func rotatesPairs(kernel: TransformerKernel, half: Int) {
        var generator = SeededGenerator(seed: UInt64(half))
        let (rows, heads, width) = (2, 3, 2 * half + 1)
        let x = generator.floats(rows * heads * width)
        let angles = generator.floats(rows * half)
        var y = x
        y.withMutableFloatSpan {
            kernel.rotate(
                &$0,
                width: width,
                half: half,
                cosines: angles.map(cos)[...],
                sines: angles.map(sin)[...]
            )
        }
        for row in 0..<rows {
            for head in 0..<heads {
                let start = (row * heads + head) * width
                for pair in 0..<half {
                    let angle = Double(angles[row * half + pair])
                    let (a, b) = (Double(x[start + pair]), Double(x[start + half + pair]))
                    let expected = (
                        a * cos(angle) - b * sin(angle), b * cos(angle) + a * sin(angle)
                    )
                    #expect((Double(y[start + pair]) - expected.0).magnitude < 4e-7)
                    #expect((Double(y[start + half + pair]) - expected.1).magnitude < 4e-7)
                }
                #expect(y[start + 2 * half] == x[start + 2 * half])
            }
        }
    }

    @Test(arguments: TransformerKernel.supported, counts)
    func gatesAndExponentialsAreThoseOfDouble(kernel: TransformerKernel, count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        var gate = (0..<count).map { _ in Float.random(in: -90...90, using: &generator) }
        let (before, up) = (gate, generator.floats(count))
        var both = gate + up
        both.withMutableFloatSpan { kernel.gateSiLU(&$0, on: WorkerPool(threadCount: 2)) }
        #expect(Array(both[count...]) == up)
        gate = Array(both[..<count])
        for place in 0..<count {
            let g = Double(before[place])
            let expected = g / (1 + exp(-g)) * Double(up[place])
            let error = (Double(gate[place]) - expected).magnitude
            #expect(error <= 5e-7 * expected.magnitude + 1e-36, "\(g)")
        }
        var powers = before
        let (maximum, sum) = powers.withMutableFloatSpan { kernel.exponentials(&$0) }
        #expect(maximum == before.max())
        let expected = before.map { exp(Double($0) - Double(maximum)) }
        for (power, expected) in zip(powers, expected) {
            #expect((Double(power) - expected).magnitude <= 3e-7 * expected + 1e-37)
        }
        #expect((sum / expected.reduce(0, +) - 1).magnitude < 1e-6)
    }

    @Test(arguments: TransformerKernel.supported)
    func exponentialsKeepWhatIsNoNumber(kernel: TransformerKernel) {
        var x: [Float] = [.nan, -.infinity, 0, 1]
        _ = x.withMutableFloatSpan { kernel.exponentials(&$0) }
        #expect(x[0].isNaN && x[1] == 0 && x[3] == 1)
    }

    struct Sizes: Sendable {
        let heads, groups, width, position, count: Int
        let window: Int?
    }

    @Test(
        arguments: TransformerKernel.supported,
        [
            Sizes(heads: 1, groups: 1, width: 2, position: 0, count: 1, window: nil),
            Sizes(heads: 3, groups: 3, width: 10, position: 5, count: 60, window: nil),
            Sizes(heads: 9, groups: 3, width: 64, position: 0, count: 130, window: nil),
            Sizes(heads: 9, groups: 3, width: 64, position: 200, count: 1, window: nil),
            Sizes(heads: 4, groups: 1, width: 20, position: 63, count: 70, window: 5),
            Sizes(heads: 4, groups: 2, width: 33, position: 150, count: 2, window: 64),
            Sizes(heads: 2, groups: 2, width: 128, position: 17, count: 48, window: 1),
        ]
    )
    func attendsAsReference(kernel: TransformerKernel, sizes: Sizes) {
        attends(kernel, sizes, .float32)
        // Which has channels in pairs.
        if sizes.width % 2 == 0 { attends(kernel, sizes, .bfloat16) }
    }

    private func attends(_ kernel: TransformerKernel, _ sizes: Sizes, _ element: FloatDType) {
        let tokens = sizes.position + sizes.count
        var generator = SeededGenerator(seed: UInt64(tokens))
        let shape = AttentionShape(
            headCount: sizes.heads,
            keyValueHeadCount: sizes.groups,
            width: sizes.width,
            window: sizes.window,
            scale: 0.7
        )
        // Numbers that bfloat16 holds, so that both types have the same result but for the weights.
        func stored(_ count: Int) -> [Float] {
            ReferenceFloat.values(
                in: ReferenceFloat.bytes(of: generator.floats(count), as: .bfloat16),
                as: .bfloat16
            )
        }
        let queries = stored(sizes.count * sizes.heads * sizes.width).map { 4 * $0 }
        let keys = stored(tokens * shape.keyWidth)
        let values = stored(tokens * shape.keyWidth)
        let block = AttentionShape.keyBlock
        let size = element.byteCount
        // What no token has written may be anything.
        let blocks = GuardedBuffer(
            [UInt8](
                repeating: 0xFF,
                count: (tokens + block - 1) / block * block * shape.keyWidth * size
            )
        )
        let table = GuardedBuffer(
            [UInt8](
                repeating: 0xFF,
                count: element.storedTokens(tokens) * shape.keyWidth * size
            )
        )
        var keySpan = blocks.bytes.mutableBytes
        var valueSpan = table.bytes.mutableBytes
        // In two parts, as a cache grows.
        for part in [0..<tokens / 2, tokens / 2..<tokens] {
            let range = part.lowerBound * shape.keyWidth..<part.upperBound * shape.keyWidth
            keys.withFloatSpan { keys in
                values.withFloatSpan { values in
                    kernel.store(
                        keys.extracting(range),
                        values.extracting(range),
                        at: part.lowerBound,
                        width: shape.keyWidth,
                        keys: &keySpan,
                        values: &valueSpan,
                        as: element,
                        on: WorkerPool.shared(threadCount: 3)
                    )
                }
            }
        }
        var results: [[Float]] = []
        for threads in [1, 3] {
            var outputs = [Float](repeating: .nan, count: queries.count)
            var scratch = [Float](repeating: .nan, count: threads * shape.scratchCount)
            queries.withFloatSpan { queries in
                outputs.withMutableFloatSpan {
                    kernel.attend(
                        queries,
                        keys: blocks.span.bytes,
                        values: table.span.bytes,
                        as: element,
                        position: sizes.position,
                        shape: shape,
                        into: &$0,
                        scratch: &scratch,
                        on: WorkerPool(threadCount: threads)
                    )
                }
            }
            results.append(outputs)
        }
        #expect(results[0] == results[1])
        for query in 0..<sizes.count {
            for head in 0..<sizes.heads {
                let own = (query * sizes.heads + head) * sizes.width
                let group = head / (sizes.heads / sizes.groups) * sizes.width
                let position = sizes.position + query
                let seen = max(0, position + 1 - (sizes.window ?? tokens))...position
                let scores = seen.map { token in
                    (0..<sizes.width).reduce(0.0) { sum, channel in
                        sum + Double(queries[own + channel])
                            * Double(keys[token * shape.keyWidth + group + channel])
                    } * 0.7
                }
                let weights = scores.map { exp($0 - (scores.max() ?? 0)) }
                let total = weights.reduce(0, +)
                for channel in 0..<sizes.width {
                    let expected = zip(seen, weights).reduce(0.0) { sum, part in
                        let value = values[part.0 * shape.keyWidth + group + channel]
                        return sum + part.1 / total * Double(value)
                    }
                    // A weight is rounded by up to a 512th of it, and all weights are 1 together.
                    let bound = element == .float32 ? 5e-6 : 1.0 / 512 + 5e-6
                    #expect((Double(results[0][own + channel]) - expected).magnitude < bound)
                }
            }
        }
    }
}
