internal import Machine
internal import SIMDKernels
internal import Tensors

/// `multiply`: products of rows of activations with a packed NF4 or LLM.int8() weight; `gradient`: of rows
/// of gradients with the weight as it lies.
///
/// The format names the rows. A single row takes its weight from another place of memory each time,
/// so that it comes from there and not from a cache; with more rows the same weight is used again.
enum ProductFamily: BenchmarkFamily {
    private static let blockSize = 64
    /// Rows of activations, from writing a token to reading a prompt.
    private static let rowCounts = [1, 2, 4, 8, 32, 128, BenchmarkMemory.mostProductRowCount]

    static func cases(size: Int) -> [BenchmarkCase] {
        CodeWidth.allCases.flatMap { width in
            rowCounts.filter { $0 <= size }.flatMap { rows in
                ComputeMode.allCases.flatMap { mode in
                    MultiplyKernel.compiled(width, mode).supported.compactMap {
                        product($0, rows, size)
                    }
                }
                    + [ComputeMode.float32, .bfloat16].flatMap { mode in
                        MultiplyTransposedKernel.compiled(width, mode).supported.compactMap {
                            gradient($0, rows, size)
                        }
                    }
            }
        }
    }

    private static func panels(_ width: CodeWidth, rowCount: Int, size: Int) -> PackedPanels? {
        switch width {
        case .four: PackedPanels(rowCount: rowCount, columnCount: size, blockSize: blockSize)
        case .eight: PackedPanels(rowCount: rowCount, columnCountOf8Bits: size)
        }
    }

    private static func format(_ width: CodeWidth, _ rows: Int) -> String {
        width == .four ? "nf4/\(rows)" : "int8/\(rows)"
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
        _ size: Int
    ) -> BenchmarkCase? {
        let slow = kernel.name == "generic"
        // A part of the weight, where all of it would take seconds.
        let rowCount = slow ? min(size, 256) : size
        guard !slow || rows == 1, let panels = panels(kernel.width, rowCount: rowCount, size: size)
        else { return nil }
        let codebook = codebook(kernel.width)
        var turn = 0
        return BenchmarkCase(
            operation: "multiply",
            format: format(kernel.width, rows),
            element: .float32,
            mode: kernel.mode,
            variant: kernel.name,
            isSelected: kernel.name == MultiplyKernel.selected(kernel.width, kernel.mode).name,
            byteCount: panels.codeByteCount + 4 * panels.scaleCount,
            operationCount: 2 * rows * panels.rowCount * size,
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
        _ size: Int
    ) -> BenchmarkCase? {
        guard kernel.name != "generic",
            let panels = panels(kernel.width, rowCount: size, size: size)
        else { return nil }
        let codebook = codebook(kernel.width)
        let selected = MultiplyTransposedKernel.selected(kernel.width, kernel.mode)
        var turn = 0
        return BenchmarkCase(
            operation: "gradient",
            format: format(kernel.width, rows),
            element: .float32,
            mode: kernel.mode,
            variant: kernel.name,
            isSelected: kernel.name == selected.name,
            byteCount: panels.codeByteCount + 4 * panels.scaleCount,
            operationCount: 2 * rows * size * size,
            limit: limit(rows, kernel.mode)
        ) { memory, workers in
            turn += 1
            memory.withProductBuffers(panels, rows: rows, turn: rows == 1 ? turn : 0) {
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
