import CheckpointIO
import Machine
import Quant
import SIMDKernels
import TestSupport
import Tensors
import Testing

/// Products with weights that no panel takes: rows that begin inside a block or a byte, and 8-bit blocks.
@Suite struct CanonicalWeightTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let config: QuantizationConfig
        let rowCount: Int
        let columnCount: Int
        var testDescription: String { "\(config) [\(rowCount), \(columnCount)]" }
    }

    /// More rows than one tile has, and more than are decoded together for a gradient.
    static let cases: [Case] = {
        let configs: [QuantizationConfig] = [
            .init(.int8Blockwise), .init(.int8Blockwise, blockSize: .b4096), .init(.int8Vectorwise),
            .nf4, .init(.fp4, blockSize: .b128, absmax: .doubleQuantized),
        ]
        return configs.flatMap { config in
            [(77, 1003), (19, 16_411), (130, 257)].map {
                Case(config: config, rowCount: $0, columnCount: $1)
            }
        }
    }()

    private static func numbers(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
        (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
    }

    /// Expects numbers to be sums of products within roundings of each, and of what is added.
    private static func expect(
        _ found: [Float],
        _ rows: Int,
        _ terms: Int,
        _ mode: ComputeMode,
        _ product: (_ place: Int, _ term: Int) -> Double,
        plus added: (Int) -> Double
    ) {
        // Operands in bfloat16 are rounded by 2^-9 each.
        let unit = Double(terms + terms / 8 + 4) * 0x1p-24 + (mode == .bfloat16 ? 0x1p-8 : 0)
        for place in stride(from: 0, to: found.count, by: max(1, found.count / 97)) {
            var (sum, absoluteSum) = (added(place), added(place).magnitude)
            for term in 0..<terms {
                sum += product(place, term)
                absoluteSum += product(place, term).magnitude
            }
            #expect((Double(found[place]) - sum).magnitude <= 1.01 * unit * absoluteSum)
        }
    }

    @Test(arguments: cases, [ComputeMode.float32, .bfloat16])
    func multipliesAsTheDequantizedMatrix(sample: Case, mode: ComputeMode) throws {
        let (n, k) = (sample.rowCount, sample.columnCount)
        var generator = SeededGenerator(seed: UInt64(n))
        let matrix = Matrix(
            rowCount: n,
            columnCount: k,
            elements: Self.numbers(n * k, &generator)
        )
        let quantized = try matrix.quantized(using: sample.config)
        let weight = try PreparedWeight(quantized)
        #expect(!weight.isPacked)
        #expect(weight.quantizedMatrix() == quantized)
        let w = quantized.dequantized().elements.map(Double.init)
        for m in [1, 6] {
            let x = Self.numbers(m * k, &generator)
            let dy = Self.numbers(m * n, &generator)
            let (bias, old) = (Self.numbers(n, &generator), Self.numbers(m * (n + k), &generator))
            var results: [[Float]] = []
            for threadCount in [1, 2, 7] {
                let workers = WorkerPool(threadCount: threadCount)
                var workspace = try ProductWorkspace()
                var (y, dx) = (Array(old[..<(m * n)]), Array(old[(m * n)...]))
                try x.withFloatSpan { (x) throws(CheckpointError) in
                    try y.withMutableFloatSpan { (y) throws(CheckpointError) in
                        try weight.multiply(
                            x,
                            into: &y,
                            mode: mode,
                            bias: bias,
                            accumulates: true,
                            workspace: &workspace,
                            on: workers
                        )
                    }
                }
                try dy.withFloatSpan { (dy) throws(CheckpointError) in
                    try dx.withMutableFloatSpan { (dx) throws(CheckpointError) in
                        try weight.multiplyTransposed(
                            dy,
                            into: &dx,
                            mode: mode,
                            accumulates: true,
                            workspace: &workspace,
                            on: workers
                        )
                    }
                }
                results.append(y + dx)
            }
            #expect(results[0] == results[1] && results[0] == results[2])
            Self.expect(Array(results[0][..<(m * n)]), m, k, mode) {
                Double(x[$0 / n * k + $1]) * w[$0 % n * k + $1]
            } plus: {
                Double(bias[$0 % n]) + Double(old[$0])
            }
            Self.expect(Array(results[0][(m * n)...]), m, n, mode) {
                Double(dy[$0 / k * n + $1]) * w[$1 * k + $0 % k]
            } plus: {
                Double(old[m * n + $0])
            }
        }
    }

    @Test func sumsOfNoTermsAreTheBias() throws {
        let empty = try Matrix(rowCount: 3, columnCount: 0, elements: []).quantized(using: .nf4)
        let x = Matrix(rowCount: 2, columnCount: 0, elements: [])
        #expect(try empty.multiplied(by: x, bias: [1, 2, 3]).elements == [1, 2, 3, 1, 2, 3])
        let dy = Matrix(rowCount: 2, columnCount: 3, elements: [1, 2, 3, 4, 5, 6])
        #expect(try empty.multipliedTransposed(by: dy).elements == [])
    }
}
