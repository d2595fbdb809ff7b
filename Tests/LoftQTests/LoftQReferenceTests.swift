import CheckpointIO
import Foundation
import LoftQ
import QLoRA
import Quant
import TestSupport
import Tensors
import Testing

/// LoftQ as PEFT computes it, by the tolerances written with the golden values.
///
/// 8 bits are left out: PEFT simulates a normal-float code there that no checkpoint can hold; int8 has
/// golden values of its own.
@Suite struct LoftQReferenceTests {
    private static func matrix(_ tensor: GoldenTensor?) throws -> Matrix {
        let tensor = try #require(tensor)
        return Matrix(
            rowCount: tensor.shape[0],
            columnCount: tensor.shape[1],
            elements: tensor.widened
        )
    }

    /// The largest difference as a share of the largest expected element.
    private static func difference(_ own: Matrix, _ expected: Matrix) -> Float {
        let largest = expected.elements.reduce(0) { max($0, $1.magnitude) }
        return zip(own.elements, expected.elements).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
            / largest
    }

    @Test func alternation() throws {
        let tensors = try LayerCase.tensors("loftq")
        let cases = try #require(try LayerCase.object("loftq")["cases"] as? [[String: Any]])
        #expect(!cases.isEmpty)
        for members in cases {
            let id = try #require(members["id"] as? String)
            let settings = try #require(members["adapter"] as? [String: Any])
            let runs = try #require(members["runs"] as? [String: [String: Any]])
            let iterations = try #require(runs["bits4"]?["iterations"] as? [[String: Double]])
            let weight = try Self.matrix(tensors["\(id).W"])
            var loftq = LoftQ(
                rank: try #require(settings["r"] as? Int),
                scaling: try #require(settings["scaling"] as? Double)
            )
            let first = try loftq.quantized(weight)
            let isBFloat16 = members["dtype"] as? String == "bf16"
            let decoded = first.quantized.dequantized().elements.map {
                isBFloat16 ? Float(BFloat16($0)) : $0
            }
            #expect(try decoded == Self.matrix(tensors["\(id).bits4.iter1.Q"]).elements, "\(id)")
            let a = try Self.matrix(tensors["\(id).bits4.iter1.A"])
            let b = try Self.matrix(tensors["\(id).bits4.iter1.B"])
            let product = LoRAAdapter(a: a, b: b, scaling: 1).delta()
            #expect(Self.difference(first.adapter.delta(), product) <= 2e-4, "\(id)")

            loftq.iterationCount = iterations.count
            let result = try loftq.quantized(weight)
            #expect(result.errors.count == iterations.count)
            for (index, expected) in iterations.enumerated() {
                let residual = try #require(expected["residual"])
                // From the second iteration on single codes may differ.
                let tolerance = index == 0 ? 1e-5 : 2e-3
                #expect(
                    abs(result.errors[index] - residual) <= tolerance * residual,
                    "\(id), iteration \(index + 1)"
                )
            }
        }
    }

    @Test func replacing() throws {
        let tensors = try LayerCase.tensors("loftq")
        let replace = try #require(try LayerCase.object("loftq")["replace"] as? [String: Any])
        let layers = try #require(replace["layers"] as? [String: [String: Any]])
        #expect(!layers.isEmpty)
        let loftq = LoftQ(
            rank: try #require(replace["r"] as? Int),
            scaling: try #require(replace["scaling"] as? Double)
        )
        for (name, members) in layers {
            let weight = try Self.matrix(tensors["replace.\(name).W"])
            let scales = try #require(tensors["replace.\(name).absmax"])
            let absmax: Absmax
            if let offset = members["nested_offset"] as? Double {
                absmax = .doubleQuantized(
                    DoubleQuantizedAbsmax(
                        codes: scales.bytes,
                        absmax: try #require(tensors["replace.\(name).nested_absmax"]).widened,
                        offset: Float(offset)
                    )
                )
            } else {
                absmax = .float32(scales.widened)
            }
            let isNested = try #require(members["nested"] as? Bool)
            let quantized = QuantizedMatrix(
                rowCount: weight.rowCount,
                columnCount: weight.columnCount,
                config: QuantizationConfig(
                    .nf4,
                    blockSize: .b64,
                    absmax: isNested ? .doubleQuantized : .float32
                ),
                dtype: .float32,
                codes: try #require(tensors["replace.\(name).packed"]).bytes,
                absmax: absmax
            )
            let (adapter, plain, error) = try loftq.adapter(for: quantized, of: weight)
            let product = try Self.matrix(tensors["replace.\(name).product"])
            #expect(Self.difference(adapter.delta(), product) <= 2e-4, "\(name)")
            let expectedPlain = try #require(members["norm_W_minus_Q"] as? Double)
            #expect(abs(plain - expectedPlain) <= 1e-5 * expectedPlain, "\(name)")
            let expected = try #require(members["residual_scaling_1"] as? Double)
            #expect(abs(error - expected) <= 1e-5 * expected, "\(name)")
        }
    }
}
