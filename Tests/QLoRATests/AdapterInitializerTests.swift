import LinearAlgebra
import CheckpointIO
import Foundation
import Models
import Quant
import TestSupport
import Tensors
import Testing

@testable import QLoRA

@Suite struct AdapterInitializerTests {
    private static func weight(_ rows: Int, _ columns: Int) -> DenseWeight {
        var generator = SeededGenerator(seed: 9)
        return DenseWeight(
            Matrix(
                rowCount: rows,
                columnCount: columns,
                elements: (0..<rows * columns).map { _ in
                    Float.random(in: -1...1, using: &generator)
                }
            )
        )
    }

    private static func initialized(
        _ initializer: any AdapterInitializer,
        _ weight: any LinearWeight,
        rank: Int,
        scaling: Double = 2,
        seed: UInt64 = 1,
        isDoRA: Bool = false
    ) throws -> InitializedAdapter {
        var workspace = try LayerWorkspace()
        return try initializer.initialized(
            for: Linear(weight),
            rank: rank,
            scaling: scaling,
            seed: seed,
            isDoRA: isDoRA,
            workspace: &workspace
        )
    }

    /// Largest magnitude and standard deviation, as the golden statistics have them for rank 8 on 300 inputs
    /// and 400 outputs: a uniform or normal distribution within six of its own deviations.
    @Test func randomFactorsHaveTheirDistributions() throws {
        let weight = Self.weight(400, 300)
        func statistics(_ matrix: Matrix) -> (largest: Double, deviation: Double) {
            let squares = matrix.elements.reduce(0) { $0 + Double($1) * Double($1) }
            return (
                Double(matrix.elements.reduce(0) { max($0, $1.magnitude) }),
                (squares / Double(matrix.elements.count)).squareRoot()
            )
        }
        let kaiming = try Self.initialized(RandomInitializer(), weight, rank: 8).adapter
        let bound = 1 / 300.0.squareRoot()
        #expect(
            statistics(kaiming.a).largest <= bound && statistics(kaiming.a).largest > 0.99 * bound
        )
        #expect(abs(statistics(kaiming.a).deviation / (bound / 3.0.squareRoot()) - 1) < 0.05)
        #expect(kaiming.b.elements.allSatisfy { $0 == 0 })

        let gaussian = try Self.initialized(RandomInitializer(.gaussian), weight, rank: 8).adapter
        #expect(abs(statistics(gaussian.a).deviation * 8 - 1) < 0.09)
        #expect((3.0...5.5).contains(statistics(gaussian.a).largest * 8))
        let mean = gaussian.a.elements.reduce(0) { $0 + Double($1) } / 2400
        #expect(abs(mean) < 6 / 8 / 2400.0.squareRoot())

        let random = try Self.initialized(RandomInitializer(.random), weight, rank: 8).adapter
        let other = 1 / 8.0.squareRoot()
        #expect(
            statistics(random.b).largest <= other && statistics(random.b).largest > 0.98 * other
        )

        let orthogonal = try Self.initialized(RandomInitializer(.orthogonal), weight, rank: 8)
            .adapter
        for factor in [orthogonal.a, orthogonal.b] {
            #expect(abs(statistics(factor).deviation / (0.5.squareRoot() / 10) - 1) < 0.15)
        }
        #expect(orthogonal.delta().elements.allSatisfy { $0.magnitude < 1e-7 })
        #expect(throws: CheckpointError.self) {
            try Self.initialized(RandomInitializer(.orthogonal), weight, rank: 3)
        }
    }

    @Test func theSameSeedGivesTheSameFactors() throws {
        let weight = Self.weight(20, 30)
        for kind in [RandomInitializer.Kind.kaiming, .gaussian, .random, .orthogonal] {
            let initializer = RandomInitializer(kind)
            let (one, two, other) = (
                try Self.initialized(initializer, weight, rank: 4).adapter,
                try Self.initialized(initializer, weight, rank: 4).adapter,
                try Self.initialized(initializer, weight, rank: 4, seed: 2).adapter
            )
            #expect(one.a == two.a && one.b == two.b && one.a != other.a)
        }
    }

    @Test func aNewDoRAAdapterHasTheNormsOfItsWeight() throws {
        let weight = Self.weight(20, 30)
        for initializer in [RandomInitializer() as any AdapterInitializer, PiSSA()] {
            let adapter = try Self.initialized(initializer, weight, rank: 4, isDoRA: true).adapter
            let norms = weight.squaredRowNorms().map { Float($0.squareRoot()) }
            GoldenTolerance(share: 1e-6).check(adapter.magnitude ?? [], norms, "m")
        }
    }

    @Test func matchesThePEFTOfEachMethod() throws {
        let golden = try LayerCase.object("init_svd")
        let tensors = try LayerCase.tensors("init_svd")
        var count = 0
        for fields in try #require(golden["cases"] as? [[String: Any]]) {
            let id = try #require(fields["id"] as? String)
            let settings = try #require(fields["adapter"] as? [String: Any])
            let (rank, scaling) = (settings["r"] as? Int ?? 0, settings["scaling"] as? Double ?? 0)
            let tensor = try #require(tensors["\(id).W"])
            let weight = DenseWeight(
                Matrix(
                    rowCount: tensor.shape[0],
                    columnCount: tensor.shape[1],
                    elements: tensor.widened
                )
            )
            let methods: [(String, any AdapterInitializer)] = [
                ("pissa", PiSSA()), ("olora", OLoRA()), ("mica", MiCA()),
            ]
            for (name, initializer) in methods {
                guard tensors["\(id).\(name).B"] != nil else { continue }
                // The reference cuts the rank without a word, and does not transpose for OLoRA.
                guard rank <= min(tensor.shape[0], tensor.shape[1]) else {
                    #expect(throws: CheckpointError.self) {
                        try Self.initialized(initializer, weight, rank: rank, scaling: scaling)
                    }
                    continue
                }
                if name == "olora", fields["layer"] as? String == "Conv1D" { continue }
                let made = try Self.initialized(initializer, weight, rank: rank, scaling: scaling)
                let share: Float = fields["dtype"] as? String == "bf16" ? 2e-2 : 5e-5
                if let expected = tensors["\(id).\(name).scaled_product"]?.widened {
                    GoldenTolerance(share: share).check(
                        made.adapter.delta().elements,
                        expected,
                        "\(id) \(name)"
                    )
                }
                if let expected = tensors["\(id).\(name).base"]?.widened,
                    let residual = made.residual
                {
                    GoldenTolerance(share: share).check(
                        residual.elements,
                        expected,
                        "\(id) \(name) base"
                    )
                }
                if name == "mica", let b = tensors["\(id).mica.B"] {
                    let own = made.adapter.b
                    let other = Matrix(
                        rowCount: b.shape[0],
                        columnCount: b.shape[1],
                        elements: b.widened
                    )
                    let projectors = [own, other].map { BLAS.product($0, $0, transposesB: true) }
                    GoldenTolerance(share: max(share, 1e-3))
                        .check(projectors[0].elements, projectors[1].elements, "\(id) mica")
                }
                count += 1
            }
        }
        #expect(count >= 8)
    }

    @Test func portableMathIsThatOfTheCLibrary() {
        for index in 1..<10_000 {
            let x = Double(index) / 10_000
            #expect(abs(PortableMath.logarithm(x) - log(x)) <= 4 * abs(log(x)).ulp)
            // The argument there is rounded itself, by as much as half a unit of the last place of 2π.
            #expect(abs(PortableMath.cosine(ofTurns: x) - cos(2 * Double.pi * x)) <= 1e-15)
        }
    }
}
