internal import Machine
internal import SIMDKernels
internal import Tensors

/// `multiply`: products of rows of activations with a packed NF4 or LLM.int8() weight; `gradient`: of rows
/// of gradients with the weight as it lies.
///
/// The format names the rows, and `up` and `down` the weights of a feed-forward part, 43 / 16 times as wide
/// on one side: [11008, 4096] and [4096, 11008] where the matrix is 4096 wide. A single row takes its weight
/// from another place of memory each time, so that it comes from there and not from a cache; with more rows
/// the same weight is used again.
enum ProductFamily: BenchmarkFamily {
    private static let blockSize = 64
    /// Rows of activations, from writing a token to reading a prompt.
    private static let rowCounts = [1, 2, 4, 8, 32, 128, BenchmarkMemory.mostProductRowCount]

    /// The weight of a row.
    private struct Weight {
        let width: CodeWidth
        let outputCount: Int
        let inputCount: Int
        /// What the format says of the shape.
        var suffix = ""

        func panels(rowCount: Int) -> PackedPanels? {
            switch width {
            case .four:
                PackedPanels(rowCount: rowCount, columnCount: inputCount, blockSize: blockSize)
            case .eight: PackedPanels(rowCount: rowCount, columnCountOf8Bits: inputCount)
            }
        }

        func format(_ rows: Int) -> String {
            (width == .four ? "nf4" : "int8") + "/\(rows)" + suffix
        }
    }

    static func cases(size: Int) -> [BenchmarkCase] {
        let wide = BenchmarkMemory.wideCount(size)
        return CodeWidth.allCases.flatMap { width in
            rowCounts.filter { $0 <= size }.flatMap { rows in
                cases(Weight(width: width, outputCount: size, inputCount: size), rows)
            }
        }
            + [1, BenchmarkMemory.mostProductRowCount].filter { $0 <= size }.flatMap { rows in
                [
                    Weight(width: .four, outputCount: wide, inputCount: size, suffix: "/up"),
                    Weight(width: .four, outputCount: size, inputCount: wide, suffix: "/down"),
                ].flatMap { cases($0, rows) }
            }
    }

    private static func cases(_ weight: Weight, _ rows: Int) -> [BenchmarkCase] {
        ComputeMode.allCases.flatMap { mode in
            MultiplyKernel.compiled(weight.width, mode).supported.compactMap {
                product($0, rows, weight)
            }
        }
            + [ComputeMode.float32, .bfloat16].flatMap { mode in
                MultiplyTransposedKernel.compiled(weight.width, mode).supported.compactMap {
                    gradient($0, rows, weight)
                }
            }
    }

    private static func codebook(_ width: CodeWidth) -> Codebook4Bit? {
        width == .four ? BenchmarkCodebook.nf4.codebook : nil
    }

    /// A single row waits for the weight to come from memory, more rows for arithmetic.
    private static func limit(_ rows: Int, _ mode: ComputeMode) -> BenchmarkLimit {
        rows == 1 ? .memory : .arithmetic(mode)
    }

    /// Returns the row of a variant; the generic ones are far too slow for many rows.
    private static func product(
        _ kernel: MultiplyKernel,
        _ rows: Int,
        _ weight: Weight
    ) -> BenchmarkCase? {
        let slow = kernel.name == "generic"
        // A part of the weight, where all of it would take seconds.
        let rowCount = slow ? min(weight.outputCount, 256) : weight.outputCount
        guard !slow || rows == 1, let panels = weight.panels(rowCount: rowCount) else { return nil }
        let codebook = codebook(kernel.width)
        var turn = 0
        return BenchmarkCase(
            operation: "multiply",
            format: weight.format(rows),
            element: .float32,
            mode: kernel.mode,
            variant: kernel.name,
            isSelected: kernel.name == MultiplyKernel.selected(kernel.width, kernel.mode).name,
            byteCount: panels.codeByteCount + 4 * panels.scaleCount,
            operationCount: 2 * rows * panels.rowCount * weight.inputCount,
            limit: limit(rows, kernel.mode)
        ) { memory, workers in
            turn += 1
            memory.withProductBuffers(panels, rows: rows, turn: rows == 1 ? turn : 0) {
                x,
                codes,
                scales,
                y,
                scratch in
                do {
                    try kernel.multiply(
                        x,
                        rowCount: rows,
                        with: panels,
                        codes: codes,
                        scales: scales,
                        values: codebook,
                        into: &y,
                        options: ProductOptions(),
                        scratch: &scratch,
                        on: workers
                    )
                } catch {
                    preconditionFailure("\(error)")
                }
            }
        }
    }

    /// Returns the row of a variant of the gradient with respect to the activations.
    private static func gradient(
        _ kernel: MultiplyTransposedKernel,
        _ rows: Int,
        _ weight: Weight
    ) -> BenchmarkCase? {
        guard kernel.name != "generic", let panels = weight.panels(rowCount: weight.outputCount)
        else { return nil }
        let codebook = codebook(kernel.width)
        let selected = MultiplyTransposedKernel.selected(kernel.width, kernel.mode)
        var turn = 0
        return BenchmarkCase(
            operation: "gradient",
            format: weight.format(rows),
            element: .float32,
            mode: kernel.mode,
            variant: kernel.name,
            isSelected: kernel.name == selected.name,
            byteCount: panels.codeByteCount + 4 * panels.scaleCount,
            operationCount: 2 * rows * weight.outputCount * weight.inputCount,
            limit: limit(rows, kernel.mode)
        ) { memory, workers in
            turn += 1
            memory.withProductBuffers(
                panels,
                rows: rows,
                isTransposed: true,
                turn: rows == 1 ? turn : 0
            ) {
                dy,
                codes,
                scales,
                dx,
                scratch in
                do {
                    try kernel.multiply(
                        dy,
                        rowCount: rows,
                        with: panels,
                        codes: codes,
                        scales: scales,
                        values: codebook,
                        into: &dx,
                        accumulates: false,
                        scratch: &scratch,
                        on: workers
                    )
                } catch {
                    preconditionFailure("\(error)")
                }
            }
        }
    }
}
