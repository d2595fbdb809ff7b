import Machine
import TestSupport
import Testing

@testable import SIMDKernels

/// Products with packed 8-bit weights and their gradients: every variant at ragged sizes against the
/// documented order, buffers ending at guard pages.
@Suite struct Multiply8BitKernelTests {
    /// One row to several tiles; outputs around the 16 of a panel; columns around the 64 of a run, and
    /// more rows than a gradient decodes at once.
    static let cases: [ProductCase] = [
        (1, 1, 8), (1, 15, 64), (2, 16, 128), (3, 17, 72), (5, 31, 200), (13, 48, 64),
        (14, 20, 136),
        (15, 65, 40), (29, 40, 128), (7, 530, 136),
    ].map { ProductCase(rows: $0, outputs: $1, inputs: $2, blockSize: $2) }

    /// A weight and rows to multiply it with.
    private struct Operands {
        let sizes: ProductCase
        let panels: PackedPanels
        let codes: [Int8]
        let scales: [Float]
        let x: [Float]
        let dy: [Float]
        let packedCodes: [UInt8]
        let packedScales: [Float]

        init(_ sizes: ProductCase) throws {
            var generator = SeededGenerator(seed: UInt64(sizes.inputs * 31 + sizes.outputs))
            func numbers(_ count: Int) -> [Float] {
                (0..<count).map { _ in Float.random(in: -2...2, using: &generator) }
            }
            self.sizes = sizes
            panels = try #require(
                PackedPanels(rowCount: sizes.outputs, columnCountOf8Bits: sizes.inputs)
            )
            // -128, too, which quantizers do not write and files may hold.
            codes = (0..<sizes.outputs * sizes.inputs).map { _ in
                Int8.random(in: -128...127, using: &generator)
            }
            scales = numbers(sizes.outputs)
            x = numbers(sizes.rows * sizes.inputs)
            dy = numbers(sizes.rows * sizes.outputs)
            var packedCodes = [UInt8](repeating: 0xFF, count: panels.codeByteCount)
            var packedScales = [Float](repeating: .nan, count: panels.scaleCount)
            let canonical = codes.map { UInt8(bitPattern: $0) }
            var restored = [UInt8](repeating: 0xFF, count: canonical.count)
            let (panels, scales) = (panels, scales)
            canonical.withUnsafeBytes { canonical in
                packedCodes.withUnsafeMutableBytes { packed in
                    var packed = packed.mutableBytes
                    scales.withFloatSpan { scales in
                        packedScales.withMutableFloatSpan { packedScales in
                            panels.pack(
                                codes: canonical.bytes,
                                scales: scales,
                                blockSize: panels.columnCount,
                                into: &packed,
                                &packedScales
                            )
                        }
                    }
                }
            }
            packedCodes.withUnsafeBytes { packed in
                restored.withUnsafeMutableBytes { restored in
                    var restored = restored.mutableBytes
                    panels.unpack(packed.bytes, into: &restored)
                }
            }
            #expect(restored == canonical)
            (self.packedCodes, self.packedScales) = (packedCodes, packedScales)
        }

        /// Calls `body` with codes and scales that end at guard pages, and room for `count` results.
        func results(
            _ count: Int,
            _ body: (RawSpan, Span<Float>, inout MutableSpan<Float>) throws -> Void
        ) throws -> [Float] {
            let codes = GuardedBuffer(packedCodes)
            let scales = GuardedBuffer(ReferenceFloat.bytes(of: packedScales, as: .float32))
            let results = GuardedBuffer(byteCount: 4 * count)
            let floats = results.bytes.bindMemory(to: Float.self)
            var span = floats.mutableSpan
            try body(
                UnsafeRawBufferPointer(codes.bytes).bytes,
                UnsafeBufferPointer(scales.bytes.bindMemory(to: Float.self)).span,
                &span
            )
            return Array(floats)
        }
    }

    private func product(
        _ kernel: MultiplyKernel,
        _ operands: Operands,
        outlierThreshold: Float? = nil,
        threadCount: Int
    ) throws -> [Float] {
        let sizes = operands.sizes
        var options = ProductOptions()
        options.outlierThreshold = outlierThreshold
        var scratch = try AlignedBuffer(byteCount: 0)
        return try operands.results(sizes.rows * sizes.outputs) { codes, scales, y in
            try operands.x.withFloatSpan { x in
                try kernel.multiply(
                    x,
                    rowCount: sizes.rows,
                    with: operands.panels,
                    codes: codes,
                    scales: scales,
                    values: nil,
                    into: &y,
                    options: options,
                    scratch: &scratch,
                    on: WorkerPool.shared(threadCount: threadCount)
                )
            }
        }
    }

    private func gradient(
        _ kernel: MultiplyTransposedKernel,
        _ operands: Operands,
        threadCount: Int
    ) throws -> [Float] {
        let sizes = operands.sizes
        var scratch = try AlignedBuffer(byteCount: 0)
        return try operands.results(sizes.rows * sizes.inputs) { codes, scales, dx in
            try operands.dy.withFloatSpan { dy in
                try kernel.multiply(
                    dy,
                    rowCount: sizes.rows,
                    with: operands.panels,
                    codes: codes,
                    scales: scales,
                    values: nil,
                    into: &dx,
                    accumulates: false,
                    scratch: &scratch,
                    on: WorkerPool.shared(threadCount: threadCount)
                )
            }
        }
    }

    /// The product in the documented order.
    private func expectedProduct(
        _ operands: Operands,
        _ mode: ComputeMode,
        outlierThreshold: Float = .infinity
    ) -> [Float] {
        let (rows, n, k) = (operands.sizes.rows, operands.sizes.outputs, operands.sizes.inputs)
        return (0..<rows).flatMap { row in
            (0..<n).map { output in
                var total: Float = 0
                var outliers: [Float] = []
                for first in stride(from: 0, to: k, by: 64) {
                    let run = first..<min(first + 64, k)
                    var x = Array(operands.x[row * k + run.lowerBound..<row * k + run.upperBound])
                    let codes = run.map { operands.codes[output * k + $0] }
                    if mode == .int8 {
                        for place in x.indices where x[place].magnitude >= outlierThreshold {
                            let scale = operands.scales[output]
                            outliers.append(x[place] * (Float(codes[place]) * scale * (1 / 127)))
                            x[place] = 0
                        }
                        let largest = x.map(\.magnitude).max() ?? 0
                        let sum = zip(x, codes).reduce(0) {
                            let multiple = ($1.0 * (127 / largest)).rounded(.toNearestOrEven)
                            return $0 + (largest == 0 ? 0 : Int(multiple) * Int($1.1))
                        }
                        total.addProduct(Float(sum), largest / 127)
                    } else {
                        var rounded = x
                        mode.round(&rounded, columnCount: rounded.count)
                        var sum: Float = 0
                        for eight in stride(from: 0, to: x.count, by: 8) {
                            for column in [1, 3, 5, 7, 0, 2, 4, 6] {
                                sum.addProduct(
                                    Float(codes[eight + column]),
                                    rounded[eight + column]
                                )
                            }
                        }
                        total += sum
                    }
                }
                return outliers.reduce(total * operands.scales[output] * (1 / 127), +)
            }
        }
    }

    /// The gradient in the documented order.
    private func expectedGradient(_ operands: Operands, _ mode: ComputeMode) -> [Float] {
        let (rows, n, k) = (operands.sizes.rows, operands.sizes.outputs, operands.sizes.inputs)
        var elements = (0..<n * k).map { index -> Float in
            Float(operands.codes[index]) * operands.scales[index / k] * (1 / 127)
        }
        var dy = operands.dy
        mode.round(&elements, columnCount: k)
        mode.round(&dy, columnCount: n)
        return (0..<rows).flatMap { row in
            (0..<k).map { column in
                var sum: Float = 0
                for output in 0..<n {
                    sum.addProduct(dy[row * n + output], elements[output * k + column])
                }
                return sum
            }
        }
    }

    @Test(arguments: cases, ComputeMode.allCases)
    func productsHaveTheBitsOfTheOrder(sizes: ProductCase, mode: ComputeMode) throws {
        let operands = try Operands(sizes)
        let expected = expectedProduct(operands, mode)
        for kernel in MultiplyKernel.compiled(.eight, mode).supported {
            for threadCount in [1, 2, 7] {
                let found = try product(kernel, operands, threadCount: threadCount)
                #expect(found == expected, "\(kernel), \(threadCount) threads")
            }
        }
    }

    /// Thresholds that leave out nothing, some columns, and everything.
    @Test(arguments: cases, [3, 1.97, 1, 0.001] as [Float])
    func outliersAreNotRounded(sizes: ProductCase, threshold: Float) throws {
        let operands = try Operands(sizes)
        let expected = expectedProduct(operands, .int8, outlierThreshold: threshold)
        for kernel in MultiplyKernel.compiled(.eight, .int8).supported {
            for threadCount in [1, 2, 7] {
                let found = try product(
                    kernel,
                    operands,
                    outlierThreshold: threshold,
                    threadCount: threadCount
                )
                #expect(found == expected, "\(kernel), \(threadCount) threads")
            }
        }
    }

    @Test(arguments: cases, [ComputeMode.float32, .bfloat16])
    func gradientsHaveTheBitsOfTheOrder(sizes: ProductCase, mode: ComputeMode) throws {
        let operands = try Operands(sizes)
        let expected = expectedGradient(operands, mode)
        for kernel in MultiplyTransposedKernel.compiled(.eight, mode).supported {
            for threadCount in [1, 2, 7] {
                let found = try gradient(kernel, operands, threadCount: threadCount)
                #expect(found == expected, "\(kernel), \(threadCount) threads")
            }
        }
    }

    @Test func packsOnlyMultiplesOfEightColumns() {
        #expect(PackedPanels(rowCount: 3, columnCountOf8Bits: 100) == nil)
        #expect(PackedPanels(rowCount: 0, columnCountOf8Bits: 64) == nil)
        #expect(PackedPanels(rowCount: 17, columnCountOf8Bits: 72)?.panelCount == 2)
    }
}
