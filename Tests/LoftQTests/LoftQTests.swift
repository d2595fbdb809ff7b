import CheckpointIO
import LoftQ
import QLoRA
import Quant
import TestSupport
import Tensors
import Testing

@Suite struct LoftQTests {
    private static func matrix(_ tensor: GoldenTensor) -> Matrix {
        Matrix(rowCount: tensor.shape[0], columnCount: tensor.shape[1], elements: tensor.widened)
    }

    private static func random(_ rows: Int, _ columns: Int) -> Matrix {
        var generator = SeededGenerator(seed: 5)
        return Matrix(
            rowCount: rows,
            columnCount: columns,
            elements: (0..<rows * columns).map { _ in
                Float.random(in: -0.1...0.1, using: &generator)
            }
        )
    }

    private static func norm(_ matrix: Matrix) -> Double {
        matrix.elements.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }

    /// Norms after every iteration, NF4 and int8, as the reference has them where the scaling is 1.
    @Test func normsAreThoseOfTheReference() throws {
        let golden = try Golden.object("loftq.json")
        let tensors = try Golden.tensors("loftq.safetensors")
        var count = 0
        for fields in try #require(golden["cases"] as? [[String: Any]]) {
            let id = try #require(fields["id"] as? String)
            let weight = Self.matrix(try #require(tensors["\(id).W"]))
            let runs = try #require(fields["runs"] as? [String: [[String: Double]]])
            for (name, format) in [("nf4", QuantizationFormat.nf4), ("int8", .int8Vectorwise)] {
                guard let run = runs[name] else { continue }
                let loftq = LoftQ(
                    QuantizationConfig(format),
                    rank: try #require(fields["rank"] as? Int),
                    iterationCount: run.count
                )
                let result = try loftq.quantized(weight)
                let plain = try #require(run[0]["norm_W_minus_Q"])
                #expect(abs(result.plainError - plain) <= 1e-6 * plain)
                for (index, expected) in run.enumerated() {
                    let norm = try #require(expected["norm_W_minus_Q_minus_BA"])
                    // From the second iteration on single codes may differ.
                    let tolerance = index == 0 ? 1e-6 : 2e-3
                    #expect(
                        abs(result.errors[index] - norm) <= tolerance * norm,
                        "\(id) \(name) \(index)"
                    )
                }
                count += 1
            }
        }
        #expect(count >= 4)
    }

    /// With any scaling the product of the factors is the same; where the reference takes it for 1 and
    /// `alpha = 2 r`, its layer gains nothing.
    @Test(arguments: [1.0, 2, 0.25]) func theScalingChangesNothing(scaling: Double) throws {
        let weight = Self.random(96, 128)
        let one = try LoftQ(rank: 8, iterationCount: 3).quantized(weight)
        let other = try LoftQ(rank: 8, scaling: scaling, iterationCount: 3).quantized(weight)
        for (own, expected) in zip(other.errors, one.errors) {
            #expect(abs(own - expected) <= 2e-3 * expected)
        }
        // What was reported is what the stored weight and the adapter give.
        var left = weight
        let (decoded, delta) = (other.quantized.dequantized(), other.adapter.delta())
        for row in 0..<left.rowCount {
            for column in 0..<left.columnCount {
                left[row, column] -= decoded[row, column] + delta[row, column]
            }
        }
        #expect(abs(Self.norm(left) - other.error) <= 1e-5 * other.error)
        #expect(other.error < 0.95 * other.plainError)
    }

    @Test(arguments: [
        QuantizationConfig.nf4, QuantizationConfig(.nf4, absmax: .doubleQuantized),
        QuantizationConfig(.fp4),
        QuantizationConfig(.int8Vectorwise), QuantizationConfig(.nf4, scale: .search),
    ])
    func neverWorseThanPlainQuantization(config: QuantizationConfig) throws {
        for iterations in [1, 5] {
            let result = try LoftQ(config, rank: 4, iterationCount: iterations)
                .quantized(Self.random(48, 128), recordedAs: .bfloat16)
            #expect(result.error < result.plainError)
            #expect(result.error == result.errors.min() && result.errors.count == iterations)
            #expect(result.quantized.dtype == .bfloat16 && result.quantized.config == config)
        }
    }

    @Test func aSingleStepKeepsTheCodes() throws {
        let weight = Self.random(64, 128)
        let quantized = try weight.quantized(using: .nf4)
        let (adapter, plain, error) = try LoftQ(rank: 8, scaling: 2).adapter(
            for: quantized,
            of: weight
        )
        let whole = try LoftQ(rank: 8, scaling: 2).quantized(weight)
        #expect(whole.quantized.codes == quantized.codes && whole.adapter.a == adapter.a)
        #expect(plain == whole.plainError && error == whole.error)
    }

    @Test func mistakesAreErrors() throws {
        let weight = Self.random(8, 16)
        func code(_ loftq: LoftQ, _ weight: Matrix) -> CheckpointError.Code? {
            do throws(CheckpointError) {
                _ = try loftq.quantized(weight)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(LoftQ(rank: 9), weight) == .adapterRange)
        #expect(code(LoftQ(rank: 0), weight) == .adapterRange)
        #expect(code(LoftQ(rank: 2, scaling: 0), weight) == .adapterRange)
        var broken = weight
        broken[3, 3] = .nan
        #expect(code(LoftQ(rank: 2), broken) == .numNonFinite)
    }
}
