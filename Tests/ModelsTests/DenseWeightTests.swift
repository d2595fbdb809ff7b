import Machine
import Models
import Quant
import TestSupport
import Tensors
import Testing

@Suite struct DenseWeightTests {
    /// Numbers that bfloat16 and float16 hold exactly, so that all types give the same products.
    private static let stored = Matrix(
        rowCount: 3,
        columnCount: 5,
        elements: (0..<15).map { Float($0) / 4 - 2 }
    )

    @Test(arguments: FloatDType.allCases, [false, true])
    func multipliesAsItsMatrix(dtype: FloatDType, isTransposed: Bool) throws {
        let weight = DenseWeight(
            isTransposed ? Self.stored.transposed() : Self.stored,
            as: dtype,
            isTransposed: isTransposed
        )
        #expect(weight.dequantized() == Self.stored)
        var workspace = try LayerWorkspace()
        let layer = Linear(weight, bias: [1, 2, 3])
        let (x, dy): ([Float], [Float]) = (
            [1, 0, 2, 0, 0, 0, 0, 0, 0, -1], [1, 0, 0, 0, 1, 1]
        )
        var y = [Float](repeating: .nan, count: 6)
        var dx = [Float](repeating: .nan, count: 10)
        try x.withFloatSpan { x in
            try y.withMutableFloatSpan {
                try layer.forward(x, into: &$0, workspace: &workspace)
            }
        }
        try dy.withFloatSpan { dy in
            try dx.withMutableFloatSpan {
                try layer.backward(dy, into: &$0, workspace: &workspace)
            }
        }
        let w = Self.stored
        #expect(
            y == [
                w[0, 0] + 2 * w[0, 2] + 1, w[1, 0] + 2 * w[1, 2] + 2, w[2, 0] + 2 * w[2, 2] + 3,
                1 - w[0, 4], 2 - w[1, 4], 3 - w[2, 4],
            ]
        )
        #expect(dx == (0..<5).map { w[0, $0] } + (0..<5).map { w[1, $0] + w[2, $0] })
        let norms = (0..<3).map { row in
            (0..<5).reduce(0.0) { $0 + Double(w[row, $1] * w[row, $1]) }
        }
        #expect(weight.squaredRowNorms() == norms)
    }

    @Test func preparedWeightsOfAnyLayoutHaveTheNormsOfTheirRows() throws {
        var generator = SeededGenerator(seed: 3)
        for config in [
            QuantizationConfig.nf4,
            QuantizationConfig(.fp4, blockSize: .b128, absmax: .doubleQuantized),
            QuantizationConfig(.int8Vectorwise), QuantizationConfig(.int8Blockwise),
        ] {
            for (rows, columns) in [(17, 64), (5, 7), (33, 192), (1, 8)] {
                let matrix = Matrix(
                    rowCount: rows,
                    columnCount: columns,
                    elements: (0..<rows * columns).map { _ in
                        Float.random(in: -1...1, using: &generator)
                    }
                )
                let quantized = try matrix.quantized(using: config)
                let prepared = try PreparedWeight(quantized)
                #expect(prepared.quantizedMatrix() == quantized)
                let decoded = quantized.dequantized()
                for (row, norm) in prepared.squaredRowNorms().enumerated() {
                    let expected = decoded.rows(in: row..<row + 1).elements.reduce(0) {
                        $0 + Double($1) * Double($1)
                    }
                    // Decoded elements are rounded to float32, which the norms are not.
                    #expect(abs(norm - expected) <= 0x1p-22 * expected)
                }
            }
        }
    }
}
