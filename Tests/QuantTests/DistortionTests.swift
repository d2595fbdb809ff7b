import Foundation
import Quant
import Tensors
import TestSupport
import Testing

/// The measures against plain loops, and the quantizers against what normal weights must cost.
@Suite struct DistortionTests {
    @Test(arguments: [(1, 1), (3, 7), (17, 129), (257, 300)])
    func equalsPlainLoops(rowCount: Int, columnCount: Int) throws {
        var generator = SeededGenerator(seed: 5)
        let original = normalMatrix(rowCount, columnCount, &generator)
        var restored = original
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: restored[row, column] = 0
                case 1: restored[row, column] *= -1
                default: restored[row, column] += Float.random(in: -0.1...0.1, using: &generator)
                }
            }
        }
        let pairs = zip(original.elements, restored.elements).map { (Double($0), Double($1)) }
        let measured = Distortion(of: restored, from: original)
        #expect(measured.elementCount == rowCount * columnCount)
        let squaredSum = pairs.reduce(0) { $0 + $1.0 * $1.0 }
        let squaredErrorSum = pairs.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        // Another order of at most 80,000 float64 additions of terms of one sign.
        #expect(abs(measured.squaredSum - squaredSum) <= 1e-11 * squaredSum)
        #expect(abs(measured.squaredErrorSum - squaredErrorSum) <= 1e-11 * squaredErrorSum)
        #expect(measured.maximumError == pairs.map { abs($0.0 - $0.1) }.max())
        #expect(measured.lostCount == pairs.count { $0.0 != 0 && $0.1 == 0 })
        #expect(measured.signFlipCount == pairs.count { $0.0 * $0.1 < 0 })
        let rmse = try #require(measured.relativeRMSE)
        #expect(abs(rmse - (squaredErrorSum / squaredSum).squareRoot()) <= 1e-10)
    }

    @Test func hasNoMeaningForZeros() {
        let zeros = Matrix(rowCount: 2, columnCount: 3)
        let measured = Distortion(of: zeros, from: zeros)
        #expect(measured.relativeRMSE == nil)
        #expect(measured.meanSquaredError == 0)
        #expect(Distortion().meanSquaredError == nil)
    }

    @Test func addsUpToTheWhole() {
        var generator = SeededGenerator(seed: 6)
        let original = normalMatrix(40, 64, &generator)
        let restored = normalMatrix(40, 64, &generator)
        let parts = [0..<11, 11..<40].map { range in
            Distortion(
                of: restored.rows(in: range).copy,
                from: original.rows(in: range).copy
            )
        }
        let whole = Distortion(of: restored, from: original)
        let sum = parts[0].adding(parts[1])
        #expect(sum.elementCount == whole.elementCount)
        #expect(sum.maximumError == whole.maximumError)
        #expect(sum.signFlipCount == whole.signFlipCount)
        #expect(abs(sum.squaredErrorSum - whole.squaredErrorSum) <= 1e-12 * whole.squaredErrorSum)
    }

    /// The relative squared errors of normal weights that the formats are known for (bitsandbytes
    /// 0.50.2, 2^20 samples); the spread over seeds at 2^18 samples is 0.4 %, three times that is
    /// allowed.
    @Test(
        arguments: [
            (QuantizationConfig(.nf4, blockSize: .b64), 8.45e-3),
            (QuantizationConfig(.nf4, blockSize: .b64, absmax: .doubleQuantized), 8.46e-3),
            (QuantizationConfig(.int8Blockwise, blockSize: .b64), 9.0e-5),
            (QuantizationConfig(.int8Blockwise, blockSize: .b256), 1.16e-4),
        ]
    )
    func normalWeightsCostWhatTheyShould(config: QuantizationConfig, expected: Double) throws {
        var generator = SeededGenerator(seed: 7)
        let original = normalMatrix(512, 512, &generator)
        let restored = try original.quantized(using: config).dequantized()
        let rmse = try #require(Distortion(of: restored, from: original).relativeRMSE)
        #expect(abs(rmse * rmse / expected - 1) < 0.012, "\(rmse * rmse) for \(config)")
    }

    private func normalMatrix(
        _ rowCount: Int,
        _ columnCount: Int,
        _ generator: inout SeededGenerator
    ) -> Matrix {
        Matrix(
            rowCount: rowCount,
            columnCount: columnCount,
            elements: (0..<rowCount * columnCount).map { _ in
                // Box and Muller 1958.
                let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &generator)))
                    .squareRoot()
                return Float(radius * cos(2 * .pi * Double.random(in: 0..<1, using: &generator)))
            }
        )
    }
}
