import CheckpointIO
import Foundation
import Quant
import SIMDKernels
import TestSupport
import Tensors
import Testing

@Suite struct CodebookTests {
    private static let maps: [(Codebook, String)] = [
        (.nf4, "nf4"), (.fp4, "fp4"), (.dynamicSigned, "dynamic_signed"),
        (.dynamicUnsigned, "dynamic_unsigned"), (.linearSigned, "linear_signed"),
        (.linearUnsigned, "linear_unsigned"),
    ]

    @Test(arguments: maps) func equalsTheGoldenTable(map: Codebook, name: String) throws {
        let golden = try #require(try Golden.tensors("constants.safetensors")[name])
        #expect(map.values.map(\.bitPattern) == golden.words)
    }

    @Test(arguments: [
        (Codebook.nf4, "8501941daa1b8a90ad1bbfeb632e5101b5dddbc4bb52d6e55abcfd777e60c06a"),
        (Codebook.fp4, "b830bcf8857895e5676b8e2ce608a60bb8af9b3ce6270073e9de34814196f09c"),
        (
            Codebook.dynamicSigned,
            "e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c"
        ),
        (
            Codebook.dynamicUnsigned,
            "305f002cc11278fb769d13b25b9fd0c7c83c8402c40a878fe086f4039fde6398"
        ),
    ])
    func hasTheKnownDigest(map: Codebook, digest: String) {
        let bytes = map.values.littleEndianBytes
        #expect(bytes.withRawSpan { FileDigest(of: $0).hexadecimal } == digest)
    }

    @Test func derivesNF4FromQuantilesOfTheNormalDistribution() {
        // QLoRA: the offset is the mean of those of a 16- and a 15-level split.
        let offset = 1 - (1.0 / 32 + 1.0 / 30) / 2
        func quantiles(_ count: Int) -> [Double] {
            (0..<count).map { index in
                Self.normalQuantile(offset + (0.5 - offset) * Double(index) / Double(count))
            }
        }
        let values = (quantiles(8) + quantiles(7).map { -$0 } + [0]).sorted()
        for (value, entry) in zip(values, Codebook.nf4.values) {
            #expect(abs(value / values[15] - Double(entry)) < 1e-6)
        }
    }

    @Test func hasTheThresholdsOfTheReference() throws {
        let golden = try Golden.tensors("constants.safetensors")
        #expect(
            Codebook.nf4Kernel.thresholds.map(\.bitPattern) == golden["nf4_midpoints"]?.words
        )
        #expect(
            Codebook.fp4Kernel.thresholds.map(\.bitPattern)
                == golden["fp4_gpu_thresholds"]?.words
        )
    }

    @Test func hasZeroTwiceInFP4() {
        #expect(Codebook.fp4.values[0].bitPattern == 0)
        #expect(Codebook.fp4.values[8].bitPattern == 0)
    }

    /// Solves `Φ(z) = p` by bisection.
    private static func normalQuantile(_ p: Double) -> Double {
        var (low, high) = (-10.0, 10.0)
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if 0.5 * erfc(-middle / 2.0.squareRoot()) < p { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}
