import CheckpointIO
import Quant
import SIMDKernels
import TestSupport
import Tensors
import Testing

/// Products with quantized matrices, as users make them.
@Suite struct MultiplyTests {
    /// Returns a matrix of numbers from -1 to 1.
    private func uniform(
        _ rowCount: Int,
        _ columnCount: Int,
        _ generator: inout SeededGenerator
    ) -> Matrix {
        let elements = (0..<rowCount * columnCount).map { _ in
            Float.random(in: -1...1, using: &generator)
        }
        return Matrix(rowCount: rowCount, columnCount: columnCount, elements: elements)
    }

    @Test(arguments: 0..<7) func matchesTheGoldenProducts(number: Int) throws {
        let golden = try GoldenProduct(number)
        let x = Matrix(
            rowCount: golden.m,
            columnCount: golden.k,
            elements: try golden.numbers("x")
        )
        let expected = try golden.doubles("ref_out_f64")
        for mode in [ComputeMode.float32, .bfloat16] {
            let y = try golden.weight.multiplied(by: x, mode: mode, bias: golden.numbers("bias"))
            // Rounding both operands to bfloat16, or the weight as the reference does for half types,
            // is within the tolerances of the half types.
            try golden.check(y.elements, expected, as: mode == .float32 ? golden.dtype : "bf16")
        }
    }

    @Test(arguments: 0..<7) func gradientsMatchTheGoldenOnes(number: Int) throws {
        let golden = try GoldenProduct(number)
        let dy = Matrix(
            rowCount: golden.m,
            columnCount: golden.n,
            elements: try golden.numbers("grad_out")
        )
        let expected = try golden.doubles("ref_grad_x_f64")
        for mode in [ComputeMode.float32, .bfloat16] {
            let dx = try golden.weight.multipliedTransposed(by: dy, mode: mode)
            try golden.check(dx.elements, expected, as: mode == .float32 ? golden.dtype : "bf16")
        }
    }

    /// What int8 may add to the error of float32: half a step of each activation and, where codes are
    /// multiplied as integers, of each value.
    @Test(arguments: StoredWeightTests.configs)
    func int8IsWithinItsSteps(config: QuantizationConfig) throws {
        for (m, n, k) in [(1, 16, 64), (3, 5, 7), (2, 33, 192), (17, 20, 100), (5, 16, 96)] {
            var generator = SeededGenerator(seed: UInt64(m * n * k))
            let weight = try uniform(n, k, &generator).quantized(using: config)
            let x = uniform(m, k, &generator)
            let exact = try weight.multiplied(by: x, mode: .float32)
            let found = try weight.multiplied(by: x, mode: .int8)
            let dequantized = weight.dequantized()
            // Steps of at most 1 / 127 of the largest activation, and 1 / 64 of a block's scale, which
            // is at most the largest element of the weight in its blocks, 1.
            for row in 0..<m {
                for column in 0..<n {
                    let bound = (0..<k).reduce(1e-5) { sum, index in
                        sum + 0.5 / 127 * dequantized[column, index].magnitude
                            + 0.5 / 64 * 1.02 * x[row, index].magnitude
                    }
                    #expect((found[row, column] - exact[row, column]).magnitude <= bound)
                }
            }
            // Something was rounded.
            if k > 7 { #expect(found != exact) }
        }
    }

    /// What each mode costs beside the exact product of the same quantized weight, as docs/performance.md
    /// says; an outlier among the activations costs int8 no more than its run.
    @Test(arguments: [QuantizationFormat.nf4, .fp4, .int8Vectorwise])
    func modesErrAsDocumented(format: QuantizationFormat) throws {
        var generator = SeededGenerator(seed: 3)
        func matrix(_ rows: Int, _ columns: Int) -> Matrix {
            // The sum of 12 uniform numbers is nearly normal.
            let elements = (0..<rows * columns).map { _ in
                (0..<12).reduce(Float(-6)) { sum, _ in sum + .random(in: 0...1, using: &generator) }
            }
            return Matrix(rowCount: rows, columnCount: columns, elements: elements)
        }
        let (m, n, k) = (8, 64, 512)
        let weight = try matrix(n, k).quantized(using: QuantizationConfig(format))
        let dequantized = weight.dequantized()
        func error(_ x: Matrix, _ mode: ComputeMode) throws -> Double {
            let y = try weight.multiplied(by: x, mode: mode)
            var (difference, norm) = (0.0, 0.0)
            for row in 0..<m {
                for output in 0..<n {
                    let exact = (0..<k).reduce(0.0) {
                        $0 + Double(x[row, $1]) * Double(dequantized[output, $1])
                    }
                    let error = Double(y[row, output]) - exact
                    difference += error * error
                    norm += exact * exact
                }
            }
            return (difference / norm).squareRoot()
        }
        let x = matrix(m, k)
        #expect((1e-8...4e-7).contains(try error(x, .float32)))
        #expect((1.4e-3...2.6e-3).contains(try error(x, .bfloat16)))
        #expect((5e-3...9e-3).contains(try error(x, .int8)))
        var elements = x.elements
        for row in 0..<m { elements[row * k + 7] = 60 }
        let outlying = Matrix(rowCount: m, columnCount: k, elements: elements)
        #expect(try error(outlying, .int8) < 2e-2)
    }

    /// bitsandbytes gives rows of activations one step each, this runs of 64 of a row: as near to the
    /// dequantized weight's products or nearer, so both are within half a step of each operand.
    @Test(arguments: ["w0", "w1", "w2"], [0, 6] as [Float])
    func int8MatchesTheGoldenLLMInt8(id: String, threshold: Float) throws {
        let golden = try Golden.tensors("int8_vectorwise.safetensors")
        func floats(_ name: String, _ dtype: FloatDType) throws -> [Float] {
            ReferenceFloat.values(in: try #require(golden[name]).bytes, as: dtype)
        }
        let shape = try #require(golden[id + ".weight"]).shape
        let (n, k) = (shape[0], shape[1])
        let weight = QuantizedMatrix(
            rowCount: n,
            columnCount: k,
            config: QuantizationConfig(.int8Vectorwise),
            dtype: .float16,
            codes: try #require(golden[id + ".CB"]).bytes,
            absmax: .float32(try floats(id + ".SCB", .float32))
        )
        let x = Matrix(rowCount: 7, columnCount: k, elements: try floats(id + ".x", .float16))
        let prefix = "\(id).t\(Int(threshold))"
        let theirs = try floats(prefix + ".cpu_matmul_f16", .float16)
        let steps = try floats(prefix + ".SCA", .float32).map { $0 / 127 }
        let prepared = try PreparedWeight(weight, outlierThreshold: threshold)
        #expect(prepared.isPacked)
        var workspace = try ProductWorkspace()
        let ours = try prepared.multiplied(by: x, mode: .int8, workspace: &workspace)
        let dequantized = weight.dequantized()
        for row in 0..<7 {
            for output in 0..<n {
                var (exact, halfSteps, magnitudes): (Float, Float, Float) = (0, 0, 0)
                for column in 0..<k {
                    let product = x[row, column] * dequantized[output, column]
                    exact += product
                    magnitudes += product.magnitude
                    halfSteps += 0.5 * steps[row] * dequantized[output, column].magnitude
                }
                let found = ours[row, output]
                // Half precision of the terms, and the digit that bitsandbytes lost.
                #expect((found - exact).magnitude <= halfSteps + 1e-5 * magnitudes)
                #expect(
                    (found - theirs[row * n + output]).magnitude <= 2 * halfSteps + 2e-3
                        * magnitudes
                )
            }
        }
    }

    /// Packed or not: without its outliers a row is rounded as finely as before, and what
    /// is beside it does not count.
    @Test(arguments: [64, 7])
    func outliersOfLLMInt8CostNothing(k: Int) throws {
        var generator = SeededGenerator(seed: 11)
        let weight = try uniform(20, k, &generator)
            .quantized(using: QuantizationConfig(.int8Vectorwise))
        var x = uniform(3, k, &generator)
        func largestError(_ x: Matrix, _ threshold: Float) throws -> Float {
            let prepared = try PreparedWeight(weight, outlierThreshold: threshold)
            var workspace = try ProductWorkspace()
            let exact = try prepared.multiplied(by: x, mode: .float32, workspace: &workspace)
            let found = try prepared.multiplied(by: x, mode: .int8, workspace: &workspace)
            return zip(found.elements, exact.elements).map { ($0 - $1).magnitude }.max() ?? 0
        }
        let before = try largestError(x, 6)
        var elements = x.elements
        elements[3] = 500
        elements[k + 5] = -6
        x = Matrix(rowCount: 3, columnCount: k, elements: elements)
        #expect(try largestError(x, 6) < 2 * before)
        #expect(try largestError(x, 0) > 20 * before)
        // Infinity is an outlier, too: the product has it where it belongs.
        elements[0] = .infinity
        let prepared = try PreparedWeight(weight)
        var workspace = try ProductWorkspace()
        let infinite = Matrix(rowCount: 3, columnCount: k, elements: elements)
        let y = try prepared.multiplied(by: infinite, mode: .int8, workspace: &workspace)
        #expect(y.elements[..<20].allSatisfy { !$0.isFinite })
        #expect(y.elements[20...].allSatisfy { $0.isFinite })
    }

    /// Every format, packed or not, against the product of the dequantized matrix.
    @Test(arguments: StoredWeightTests.configs)
    func equalsTheProductOfTheDequantizedMatrix(config: QuantizationConfig) throws {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (2, 33, 64), (17, 20, 100), (5, 16, 96)] {
            var generator = SeededGenerator(seed: UInt64(m * n * k))
            let weight = try uniform(n, k, &generator).quantized(using: config)
            let x = uniform(m, k, &generator)
            let dequantized = weight.dequantized()
            let y = try weight.multiplied(by: x, mode: .float32)
            #expect((y.rowCount, y.columnCount) == (m, n))
            for row in 0..<m {
                for column in 0..<n {
                    var (sum, absoluteSum) = (0.0, 0.0)
                    for index in 0..<k {
                        let product = Double(x[row, index]) * Double(dequantized[column, index])
                        sum += product
                        absoluteSum += product.magnitude
                    }
                    // K products, the scale of each group, and the rounding of dequantizing.
                    let bound = Double(k + k / 8 + 4) * 0x1p-24 * absoluteSum
                    #expect((Double(y[row, column]) - sum).magnitude <= bound)
                }
            }
            let dy = uniform(m, n, &generator)
            let dx = try weight.multipliedTransposed(by: dy, mode: .float32)
            #expect((dx.rowCount, dx.columnCount) == (m, k))
            for row in 0..<m {
                for column in 0..<k {
                    let products = (0..<n).map {
                        Double(dy[row, $0]) * Double(dequantized[$0, column])
                    }
                    let bound =
                        Double(n) * 0x1p-24 * products.map(\.magnitude).reduce(0, +)
                    let error = (Double(dx[row, column]) - products.reduce(0, +)).magnitude
                    #expect(error <= bound)
                }
            }
        }
    }

    /// The gradient is that of the product: central differences in Double of a loss that is not linear.
    @Test(arguments: [QuantizationFormat.nf4, .int8Vectorwise])
    func gradientsAreThoseOfTheProduct(format: QuantizationFormat) throws {
        let (m, n, k) = (3, 17, 64)
        var generator = SeededGenerator(seed: 9)
        let weight = try uniform(n, k, &generator).quantized(using: QuantizationConfig(format))
        let dequantized = weight.dequantized().elements.map(Double.init)
        let x = uniform(m, k, &generator)
        func outputs(_ x: [Double]) -> [Double] {
            (0..<m * n).map { place in
                (0..<k).reduce(0) { $0 + x[place / n * k + $1] * dequantized[place % n * k + $1] }
            }
        }
        /// Half the sum of the squares of the outputs, whose gradient is the outputs.
        func loss(_ x: [Double]) -> Double { outputs(x).reduce(0) { $0 + $1 * $1 / 2 } }
        let y = try weight.multiplied(by: x, mode: .float32)
        let dx = try weight.multipliedTransposed(by: y, mode: .float32)
        var point = x.elements.map(Double.init)
        for place in point.indices {
            let (old, step) = (point[place], 0x1p-16)
            point[place] = old + step
            let above = loss(point)
            point[place] = old - step
            let difference = (above - loss(point)) / (2 * step)
            point[place] = old
            #expect((Double(dx.elements[place]) - difference).magnitude < 1e-4)
        }
    }

    @Test func preparedWeightsAreReused() throws {
        let elements = (0..<64 * 128).map { Float($0 % 37) / 37 - 0.5 }
        let weight = Matrix(rowCount: 64, columnCount: 128, elements: elements)
        let quantized = try weight.quantized(using: .nf4)
        let budget = MemoryBudget(limitByteCount: 1 << 20)
        let prepared = try PreparedWeight(quantized, budget: budget)
        #expect(prepared.isPacked)
        // As many bytes as the codes and scales in float32.
        #expect(budget.inUseByteCount == 64 * 128 / 2 + 4 * 64 * 128 / 64)
        #expect(try PreparedWeight(weight.quantized(using: .init(.int8Vectorwise))).isPacked)
        #expect(try !PreparedWeight(weight.quantized(using: .init(.int8Blockwise))).isPacked)
        var workspace = try ProductWorkspace()
        let x = [Float](repeating: 0.25, count: 3 * 128)
        var first = [Float](repeating: 0, count: 3 * 64)
        for _ in 0..<3 {
            var y = [Float](repeating: 1, count: 3 * 64)
            try x.withFloatSpan { x in
                try y.withMutableFloatSpan { y in
                    try prepared.multiply(x, into: &y, workspace: &workspace)
                }
            }
            if first[0] == 0 { first = y }
            #expect(y == first)
        }
        #expect(throws: CheckpointError.self) {
            try PreparedWeight(quantized, budget: MemoryBudget(limitByteCount: 1000))
        }
    }
}

/// A case of `matmul4bit`: a weight, activations and what the reference computes with them.
private struct GoldenProduct {
    let m: Int
    let n: Int
    let k: Int
    let dtype: String
    let weight: QuantizedMatrix
    private let id: String
    private let tensors: [String: GoldenTensor]

    init(_ number: Int) throws {
        let file = try Golden.object("matmul4bit.json")
        let cases = try #require(file["cases"] as? [[String: Any]])
        let fields = cases[number]
        let id = try #require(fields["id"] as? String)
        let tensors = try Golden.tensors("matmul4bit.safetensors")
        func size(_ key: String) throws -> Int { try #require(fields[key] as? Int) }
        let type = try #require(fields["quant_type"] as? String)
        let format = try #require(QuantizationFormat(rawValue: type))
        let blockSize = try #require(BlockSize(rawValue: size("blocksize")))
        (m, k, n) = (try size("M"), try size("K"), try size("N"))
        dtype = try #require(fields["dtype"] as? String)
        weight = QuantizedMatrix(
            rowCount: n,
            columnCount: k,
            config: QuantizationConfig(format, blockSize: blockSize),
            dtype: .float32,
            codes: try #require(tensors["\(id).packed"]).bytes,
            absmax: .float32(try #require(tensors["\(id).absmax_restored"]).widened)
        )
        (self.id, self.tensors) = (id, tensors)
    }

    func numbers(_ name: String) throws -> [Float] {
        try #require(tensors["\(id).\(name)"]).widened
    }

    /// Compares results with the tolerances of the golden file for a type.
    func check(_ found: [Float], _ expected: [Double], as dtype: String) throws {
        try #require(found.count == expected.count)
        let largest = expected.map(\.magnitude).max() ?? 0
        for (found, expected) in zip(found, expected) {
            let error = (Double(found) - expected).magnitude
            switch dtype {
            case "f32": #expect(error <= 1e-5 + 1e-5 * expected.magnitude)
            case "f16": #expect(error <= 0x1p-9 * largest)
            default: #expect(error <= 0x1p-7 * largest)
            }
        }
    }

    func doubles(_ name: String) throws -> [Double] {
        try #require(tensors["\(id).\(name)"]).doubles
    }
}

extension GoldenTensor {
    /// The elements of an F64 tensor.
    fileprivate var doubles: [Double] {
        stride(from: 0, to: bytes.count, by: 8).map { place in
            Double(
                bitPattern: bytes[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
            )
        }
    }

    /// The elements of a float tensor as float32.
    fileprivate var widened: [Float] {
        switch dtype {
        case "F32": floats
        case "BF16": ReferenceFloat.values(in: bytes, as: .bfloat16)
        default: ReferenceFloat.values(in: bytes, as: .float16)
        }
    }
}
