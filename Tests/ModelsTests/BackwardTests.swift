import Foundation
import Machine
import SIMDKernels
import Tensors
import TestSupport
import Testing

@testable import Models

/// Gradients, beside the slopes of plain functions in Double along random directions.
@Suite struct BackwardTests {
    private static let threadCounts = [1, 3]

    private static func random(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
        (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
    }

    /// The slope of a function along a direction.
    private static func slope(
        at x: [Float],
        along direction: [Float],
        _ function: ([Double]) -> Double
    ) -> Double {
        let step = 1e-4
        func value(_ sign: Double) -> Double {
            function(zip(x, direction).map { Double($0) + sign * step * Double($1) })
        }
        return (value(1) - value(-1)) / (2 * step)
    }

    private static func dot(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    private static func dot(_ a: [Float], _ b: [Double]) -> Double {
        zip(a, b).reduce(0) { $0 + Double($1.0) * $1.1 }
    }

    /// Expects a gradient to have the slopes of a function.
    private static func expect(
        _ gradient: [Float],
        at x: [Float],
        _ generator: inout SeededGenerator,
        _ comment: Comment,
        _ function: ([Double]) -> Double
    ) {
        for _ in 0..<4 {
            let direction = random(x.count, &generator)
            let expected = slope(at: x, along: direction, function)
            let size = dot(gradient, gradient).squareRoot() * dot(direction, direction).squareRoot()
            #expect((dot(gradient, direction) - expected).magnitude < 2e-6 * size + 1e-7, comment)
        }
    }

    @Test(arguments: [(1, 7), (5, 33), (40, 64)])
    func normsHaveTheirSlopes(rows: Int, width: Int) {
        var generator = SeededGenerator(seed: 3)
        let x = Self.random(rows * width, &generator)
        let dy = Self.random(rows * width, &generator)
        let weight = Self.random(width, &generator)
        let norm = RMSNorm(weight: weight, epsilon: 1e-3)
        func value(_ x: [Double], _ weight: [Double]) -> Double {
            (0..<rows).reduce(0) { sum, row in
                let own = x[row * width..<(row + 1) * width]
                let mean = own.reduce(0) { $0 + $1 * $1 } / Double(width)
                let factor = 1 / (mean + Double(Float(1e-3))).squareRoot()
                return zip(own, weight).enumerated().reduce(sum) {
                    $0 + Double(dy[row * width + $1.offset]) * $1.element.0 * $1.element.1 * factor
                }
            }
        }
        var all: [[Float]] = []
        for threads in Self.threadCounts {
            // Added to what is there.
            var dx = [Float](repeating: 0, count: x.count)
            var dweight = [Float](repeating: 1, count: width)
            dy.withFloatSpan { dy in
                x.withFloatSpan { x in
                    dx.withMutableFloatSpan {
                        let workers = WorkerPool(threadCount: threads)
                        norm.addGradient(dy, of: x, to: &$0, &dweight, on: workers)
                        var none: [Float] = []
                        norm.addGradient(dy, of: x, to: &$0, &none, on: workers)
                    }
                }
            }
            all.append(dx + dweight)
            let ofWeight = dweight.map { $0 - 1 }
            Self.expect(dx.map { $0 / 2 }, at: x, &generator, "x") {
                value($0, weight.map(Double.init))
            }
            Self.expect(ofWeight, at: weight, &generator, "weight") {
                value(x.map(Double.init), $0)
            }
        }
        #expect(all[0] == all[1])
    }

    @Test(arguments: TransformerKernel.supported, [1, 5, 16, 67])
    func gatesHaveTheirSlopes(kernel: TransformerKernel, count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let given = Self.random(2 * count, &generator).map { 6 * $0 }
        let dy = Self.random(count, &generator)
        var gradients = [Float](repeating: .nan, count: 2 * count)
        dy.withFloatSpan { dy in
            given.withFloatSpan { given in
                gradients.withMutableFloatSpan {
                    kernel.gateSiLUGradient(dy, of: given, into: &$0)
                }
            }
        }
        Self.expect(gradients, at: given, &generator, "both") { given in
            (0..<count).reduce(0) {
                $0 + Double(dy[$1]) * given[$1] / (1 + exp(-given[$1])) * given[count + $1]
            }
        }
    }

    @Test func rotationsAreTurnedBack() {
        var generator = SeededGenerator(seed: 9)
        let rotary = RotaryEmbedding(frequencies: [1, 0.3, 0.01], magnitude: 1.2)
        let angles = rotary.angles(of: [0, 3, 700])
        // Two heads of eight channels, of which six are rotated.
        let (x, dy) = (Self.random(48, &generator), Self.random(48, &generator))
        func rotated(_ x: [Float], _ angles: RotaryEmbedding.Angles) -> [Float] {
            var x = x
            x.withMutableFloatSpan { rotary.apply(angles, to: &$0, width: 8, on: .single) }
            return x
        }
        // The rotation is linear: ⟨dy, R x⟩ = ⟨Rᵀ dy, x⟩.
        let (forwards, backwards) = (rotated(x, angles), rotated(dy, angles.reversed))
        #expect((Self.dot(dy, forwards) - Self.dot(backwards, x)).magnitude < 1e-5)
        #expect(rotated(dy, angles) != backwards)
    }

    struct Sizes: Sendable {
        let heads, groups, width, tokens: Int
        let window: Int?
    }

    @Test(arguments: [
        Sizes(heads: 1, groups: 1, width: 2, tokens: 1, window: nil),
        Sizes(heads: 4, groups: 2, width: 6, tokens: 37, window: nil),
        Sizes(heads: 3, groups: 3, width: 5, tokens: 150, window: nil),
        Sizes(heads: 2, groups: 1, width: 4, tokens: 70, window: 9),
    ])
    func attentionHasItsSlopes(sizes: Sizes) {
        var generator = SeededGenerator(seed: UInt64(sizes.tokens))
        let shape = AttentionShape(
            headCount: sizes.heads,
            keyValueHeadCount: sizes.groups,
            width: sizes.width,
            window: sizes.window,
            scale: 0.6
        )
        let (queryWidth, keyWidth) = (sizes.heads * sizes.width, sizes.groups * sizes.width)
        let queries = Self.random(sizes.tokens * queryWidth, &generator).map { 2 * $0 }
        let keys = Self.random(sizes.tokens * keyWidth, &generator).map { 2 * $0 }
        let values = Self.random(sizes.tokens * keyWidth, &generator)
        let doutputs = Self.random(queries.count, &generator)
        func outputs(_ queries: [Double], _ keys: [Double], _ values: [Double]) -> [Double] {
            var result = [Double](repeating: 0, count: queries.count)
            for token in 0..<sizes.tokens {
                for head in 0..<sizes.heads {
                    let own = token * queryWidth + head * sizes.width
                    let group = head / (sizes.heads / sizes.groups) * sizes.width
                    let first = sizes.window.map { max(0, token + 1 - $0) } ?? 0
                    let weights = (first...token).map { other in
                        exp(
                            (0..<sizes.width).reduce(0.0) {
                                $0 + queries[own + $1] * keys[other * keyWidth + group + $1]
                            } * Double(Float(0.6))
                        )
                    }
                    let total = weights.reduce(0, +)
                    for (index, weight) in weights.enumerated() {
                        for channel in 0..<sizes.width {
                            result[own + channel] +=
                                weight / total
                                * values[(first + index) * keyWidth + group + channel]
                        }
                    }
                }
            }
            return result
        }
        let (q, k, v) = (queries.map(Double.init), keys.map(Double.init), values.map(Double.init))
        let pass = AttentionGradient.Pass(
            queries: queries,
            keys: keys,
            values: values,
            outputs: outputs(q, k, v).map { Float($0) }
        )
        let gradient = AttentionGradient(shape: shape)
        let found = gradient.gradients(doutputs, of: pass, on: .single)
        let again = gradient.gradients(doutputs, of: pass, on: WorkerPool(threadCount: 3))
        #expect(
            found.queries == again.queries && found.keys == again.keys
                && found.values == again.values
        )
        Self.expect(found.queries, at: queries, &generator, "queries") {
            Self.dot(doutputs, outputs($0, k, v))
        }
        Self.expect(found.keys, at: keys, &generator, "keys") {
            Self.dot(doutputs, outputs(q, $0, v))
        }
        Self.expect(found.values, at: values, &generator, "values") {
            Self.dot(doutputs, outputs(q, k, $0))
        }
    }

    /// More rows than have logits at the same time.
    @Test func crossEntropyHasItsSlopes() throws {
        var generator = SeededGenerator(seed: 21)
        let (rows, width, vocabulary) = (70, 6, 11)
        let x = Self.random(rows * width, &generator)
        let weight = Self.random(vocabulary * width, &generator).map { 3 * $0 }
        let targets: [Int?] = (0..<rows).map { $0 % 5 == 2 ? nil : ($0 * 7) % vocabulary }
        let count = targets.count { $0 != nil }
        let head = Linear(
            DenseWeight(Matrix(rowCount: vocabulary, columnCount: width, elements: weight))
        )
        func loss(_ x: [Double]) -> Double {
            targets.enumerated().reduce(0) { sum, entry in
                guard let target = entry.element else { return sum }
                let logits = (0..<vocabulary).map { token in
                    (0..<width).reduce(0.0) {
                        $0 + x[entry.offset * width + $1] * Double(weight[token * width + $1])
                    }
                }
                return sum + log(logits.reduce(0) { $0 + exp($1) }) - logits[target]
            }
        }
        var all: [[Float]] = []
        for threads in Self.threadCounts {
            let pass = LayerPass(
                mode: .float32,
                on: WorkerPool(threadCount: threads),
                samples: [Int](repeating: 0, count: rows)
            )
            var dx = [Float](repeating: .nan, count: x.count)
            var workspace = try LayerWorkspace()
            let entropy = CrossEntropy(head: head, pass: pass)
            let found = try x.withFloatSpan { x in
                try dx.withMutableFloatSpan { dx in
                    try entropy.loss(
                        x,
                        targets: targets,
                        scale: 1 / Float(count),
                        into: &dx,
                        workspace: &workspace
                    )
                }
            }
            #expect(found.count == count)
            #expect((found.sum / loss(x.map(Double.init)) - 1).magnitude < 1e-6)
            Self.expect(dx, at: x, &generator, "activations") { loss($0) / Double(count) }
            var none: [Float] = []
            let bare = try x.withFloatSpan { x in
                try none.withMutableFloatSpan { none in
                    try entropy.loss(x, targets: targets, into: &none, workspace: &workspace)
                }
            }
            #expect(bare == found)
            all.append(dx)
        }
        #expect(all[0] == all[1])
    }
}
