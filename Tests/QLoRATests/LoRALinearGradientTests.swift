import Models
import Quant
import TestSupport
import Tensors
import Testing

@testable import QLoRA

/// Gradients against central differences of the formulas in Double, with norms held constant.
@Suite struct LoRALinearGradientTests {
    /// One layer in Double.
    private struct Reference {
        var x: [Double]
        var factors: [(a: [Double], b: [Double], bias: [Double]?, magnitude: [Double]?)]
        let norms: [[Double]]
        let weight: [Double]
        let bias: [Double]
        let scalings: [Double]
        /// `k`, for each adapter.
        let kept: [[Double]]
        let (m, n, k): (Int, Int, Int)
        let drops: Bool

        /// The layer's outputs; with dropout for plain adapters and one with a magnitude.
        func outputs() -> [Double] {
            var base = [Double](repeating: 0, count: m * n)
            multiply(x, weight, n, k, into: &base)
            var y = base
            for (index, adapter) in factors.enumerated() {
                let dropped = zip(x, kept[index]).map { $0 * $1 }
                let rank = adapter.a.count / k
                var (h, term) = (
                    [Double](repeating: 0, count: m * rank), [Double](repeating: 0, count: m * n)
                )
                multiply(dropped, adapter.a, rank, k, into: &h)
                multiply(h, adapter.b, n, rank, into: &term)
                var droppedBase = [Double](repeating: 0, count: m * n)
                if drops { multiply(dropped, weight, n, k, into: &droppedBase) }
                for place in y.indices {
                    let output = place % n
                    let own = scalings[index] * (term[place] + (adapter.bias?[output] ?? 0))
                    guard let magnitude = adapter.magnitude else {
                        y[place] += own
                        continue
                    }
                    let g = magnitude[output] / norms[index][output]
                    y[place] =
                        drops
                        ? y[place] + (g - 1) * droppedBase[place] + g * own : g * (y[place] + own)
                }
            }
            return y.enumerated().map { $1 + bias[$0 % n] }
        }

        private func multiply(
            _ x: [Double],
            _ w: [Double],
            _ n: Int,
            _ k: Int,
            into y: inout [Double]
        ) {
            for row in 0..<m {
                for output in 0..<n {
                    for term in 0..<k {
                        y[row * n + output] += x[row * k + term] * w[output * k + term]
                    }
                }
            }
        }
    }

    enum Kind: CaseIterable { case plain, dora, two, twoDoRA }

    @Test(arguments: Kind.allCases, [0.0, 0.5])
    func matchCentralDifferences(kind: Kind, dropout: Double) throws {
        // Two adapters with a magnitude are not trained with dropout.
        if kind == .twoDoRA, dropout > 0 { return }
        let (m, n, k) = (4, 6, 64)
        var generator = SeededGenerator(seed: 11)
        func random(_ count: Int, _ range: ClosedRange<Float> = -1...1) -> [Float] {
            (0..<count).map { _ in Float.random(in: range, using: &generator) }
        }
        let weight = try Matrix(rowCount: n, columnCount: k, elements: random(n * k))
            .quantized(using: .nf4)
        var layer = LoRALinear(Linear(try PreparedWeight(weight), bias: random(n)))
        let hasMagnitude: [Bool] =
            switch kind {
            case .plain: [false]
            case .dora: [true]
            case .two: [false, true]
            case .twoDoRA: [true, true]
            }
        for (index, hasMagnitude) in hasMagnitude.enumerated() {
            let rank = 2 + index
            var magnitude = hasMagnitude ? random(n, 3...5) : nil
            // A magnitude of zero hides what it scaled.
            magnitude?[1] = 0
            layer.setAdapter(
                "a\(index)",
                to: LoRAAdapter(
                    a: Matrix(rowCount: rank, columnCount: k, elements: random(rank * k)),
                    b: Matrix(rowCount: n, columnCount: rank, elements: random(n * rank)),
                    bias: hasMagnitude ? nil : random(n),
                    magnitude: magnitude,
                    scaling: 1.5,
                    dropout: dropout
                )
            )
        }
        layer.activate(hasMagnitude.indices.map { "a\($0)" })
        let (x, dy) = (random(m * k), random(m * n))
        let masks = hasMagnitude.map { _ in random(m * k).map { $0 > 0 } }
        let pass = try LinearPass(
            layer,
            x: x,
            dy: dy,
            dropout: dropout > 0 ? .kept(masks) : .off
        )

        var workspace = try LayerWorkspace()
        let norms = try layer.active.map { adapter in
            try adapter.rowNorms(on: layer.base, workspace: &workspace, workers: .single)
        }
        let reference = Reference(
            x: x.map(Double.init),
            factors: layer.active.map {
                (
                    $0.a.elements.map(Double.init), $0.b.elements.map(Double.init),
                    $0.bias?.map(Double.init), $0.magnitude?.map(Double.init)
                )
            },
            norms: norms.map { $0.map(Double.init) },
            weight: weight.dequantized().elements.map(Double.init),
            bias: (layer.base.bias ?? []).map(Double.init),
            scalings: layer.active.map(\.scaling),
            kept: masks.map { mask in
                mask.map { dropout == 0 ? 1 : $0 ? 1 / (1 - dropout) : 0 }
            },
            m: m,
            n: n,
            k: k,
            drops: dropout > 0
        )
        func differences(_ count: Int, _ change: (inout Reference, Int, Double) -> Void) -> [Float]
        {
            (0..<count).map { index in
                let losses = [1e-4, -1e-4].map { step in
                    var moved = reference
                    change(&moved, index, step)
                    return zip(moved.outputs(), dy).reduce(0) { $0 + $1.0 * Double($1.1) }
                }
                return Float((losses[0] - losses[1]) / 2e-4)
            }
        }
        let tolerance = GoldenTolerance(share: 4e-6)
        tolerance.check(pass.y, reference.outputs().map(Float.init), "y")
        tolerance.check(pass.dx, differences(m * k) { $0.x[$1] += $2 }, "dx")
        for (index, name) in layer.activeNames.enumerated() {
            let gradients = try #require(pass.gradients[name])
            let rank = 2 + index
            tolerance.check(
                gradients.a.elements,
                differences(rank * k) { $0.factors[index].a[$1] += $2 },
                "dA"
            )
            tolerance.check(
                gradients.b.elements,
                differences(n * rank) { $0.factors[index].b[$1] += $2 },
                "dB"
            )
            if let bias = gradients.bias {
                tolerance.check(bias, differences(n) { $0.factors[index].bias?[$1] += $2 }, "dc")
            }
            if let magnitude = gradients.magnitude {
                tolerance.check(
                    magnitude,
                    differences(n) { $0.factors[index].magnitude?[$1] += $2 },
                    "dm"
                )
            }
        }
    }

    @Test func anyNumberOfThreadsGivesTheSameBits() throws {
        var generator = SeededGenerator(seed: 5)
        func random(_ rows: Int, _ columns: Int) -> Matrix {
            Matrix(
                rowCount: rows,
                columnCount: columns,
                elements: (0..<rows * columns).map { _ in
                    Float.random(in: -1...1, using: &generator)
                }
            )
        }
        let (m, n, k) = (70, 144, 192)
        let weight = try random(n, k).quantized(using: .nf4)
        for hasMagnitude in [false, true] {
            var layer = LoRALinear(Linear(try PreparedWeight(weight)))
            layer.setAdapter(
                "a",
                to: LoRAAdapter(
                    a: random(8, k),
                    b: random(n, 8),
                    magnitude: hasMagnitude ? random(n, 1).elements : nil,
                    scaling: 2,
                    dropout: 0.25
                )
            )
            layer.activate(["a"])
            let (x, dy) = (random(m, k).elements, random(m, n).elements)
            let passes = try [1, 2, 7].map { threadCount in
                try LinearPass(
                    layer,
                    x: x,
                    dy: dy,
                    dropout: .seeded(3),
                    mode: .bfloat16,
                    threadCount: threadCount
                )
            }
            for other in passes.dropFirst() {
                #expect(other.y == passes[0].y && other.dx == passes[0].dx)
                #expect(other.gradients["a"]?.a == passes[0].gradients["a"]?.a)
                #expect(other.gradients["a"]?.b == passes[0].gradients["a"]?.b)
                #expect(other.gradients["a"]?.magnitude == passes[0].gradients["a"]?.magnitude)
            }
            // Another seed drops others.
            let other = try LinearPass(layer, x: x, dy: dy, dropout: .seeded(4), mode: .bfloat16)
            #expect(other.y != passes[0].y)
        }
    }

    @Test func dropoutKeepsItsShare() {
        let ones = [Float](repeating: 1, count: 100_000)
        for probability in [0, 0.1, 0.5, 1] {
            var dropped = ones
            ones.withFloatSpan { ones in
                dropped.withMutableFloatSpan {
                    Dropout.seeded(1).apply(
                        to: ones,
                        into: &$0,
                        position: 0,
                        probability: probability
                    )
                }
            }
            let kept = Double(dropped.count { $0 != 0 }) / 1e5
            // Six standard deviations of a binomial share of 10⁵.
            #expect(
                abs(kept - (1 - probability)) <= 6
                    * (probability * (1 - probability) / 1e5).squareRoot()
            )
            #expect(Set(dropped).isSubset(of: [0, Float(1 / (1 - min(probability, 0.99)))]))
        }
    }

    @Test func aZeroRowKeepsItsOutputs() throws {
        let weight = Matrix(rowCount: 2, columnCount: 8, elements: [Float](repeating: 0, count: 16))
        var layer = LoRALinear(Linear(DenseWeight(weight)))
        layer.setAdapter(
            "a",
            to: LoRAAdapter(
                a: Matrix(rowCount: 1, columnCount: 8, elements: [Float](repeating: 1, count: 8)),
                b: Matrix(rowCount: 2, columnCount: 1),
                magnitude: [0, 0],
                scaling: 1
            )
        )
        layer.activate(["a"])
        let pass = try LinearPass(layer, x: [Float](repeating: 1, count: 8), dy: [1, 1])
        #expect(pass.y == [0, 0])
        #expect(pass.gradients["a"]?.magnitude == [0, 0])
    }
}
