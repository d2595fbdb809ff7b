internal import Machine
internal import SIMDKernels
internal import Tensors

/// `multiply`: products of rows of activations with a packed NF4 weight; `gradient`: of rows of
/// gradients with the weight as it lies.
///
/// The format names the rows. A single row takes its weight from another place of memory each time,
/// so that it comes from there and not from a cache; with more rows the same weight is used again.
enum ProductFamily: BenchmarkFamily {
    private static let blockSize = 64

    static func cases(size: Int) -> [BenchmarkCase] {
        func products<Kernel: Multiply4BitKernel>(_: Kernel.Type, _ rows: Int) -> [BenchmarkCase] {
            Kernel.supported.compactMap { product($0, rows, size) }
        }
        func gradients<Kernel: Multiply4BitTransposedKernel>(
            _: Kernel.Type,
            _ rows: Int
        ) -> [BenchmarkCase] {
            Kernel.supported.compactMap { gradient($0, rows, size) }
        }
        return [1, 2, 4, 8, 32, 128, 512].filter { $0 <= size }.flatMap { rows in
            products(Multiply4BitFloat32Kernel.self, rows)
                + products(Multiply4BitBFloat16Kernel.self, rows)
                + products(Multiply4BitInt8Kernel.self, rows)
                + gradients(Multiply4BitTransposedFloat32Kernel.self, rows)
                + gradients(Multiply4BitTransposedBFloat16Kernel.self, rows)
        }
    }

    /// A single row waits for the weight to come from memory, more rows for arithmetic.
    private static func limit(_ rows: Int, _ mode: ComputeMode) -> BenchmarkLimit {
        rows == 1 ? .memory : .arithmetic(mode)
    }

    /// Returns the row of a variant; the generic ones are far too slow for many rows.
    private static func product<Kernel: Multiply4BitKernel>(
        _ kernel: Kernel,
        _ rows: Int,
        _ size: Int
    ) -> BenchmarkCase? {
        let slow = kernel.name == "generic"
        guard !slow || rows == 1,
            let panels = PackedPanels(
                // A part of the weight, where all of it would take seconds.
                rowCount: slow ? min(size, 256) : size,
                columnCount: size,
                blockSize: blockSize
            )
        else { return nil }
        let codebook = BenchmarkCodebook.nf4.codebook
        let byteCount = panels.codeByteCount + 4 * panels.scaleCount
        var turn = 0
        return BenchmarkCase(
            operation: "multiply",
            format: "nf4/\(rows)",
            element: .float32,
            mode: Kernel.mode,
            variant: kernel.name,
            isSelected: kernel.name == Kernel.selected.name,
            byteCount: byteCount,
            operationCount: 2 * rows * panels.rowCount * size,
            limit: limit(rows, Kernel.mode)
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
    private static func gradient<Kernel: Multiply4BitTransposedKernel>(
        _ kernel: Kernel,
        _ rows: Int,
        _ size: Int
    ) -> BenchmarkCase? {
        guard kernel.name != "generic",
            let panels = PackedPanels(rowCount: size, columnCount: size, blockSize: blockSize)
        else { return nil }
        let codebook = BenchmarkCodebook.nf4.codebook
        var turn = 0
        return BenchmarkCase(
            operation: "gradient",
            format: "nf4/\(rows)",
            element: .float32,
            mode: Kernel.mode,
            variant: kernel.name,
            isSelected: kernel.name == Kernel.selected.name,
            byteCount: panels.codeByteCount + 4 * panels.scaleCount,
            operationCount: 2 * rows * size * size,
            limit: limit(rows, Kernel.mode)
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
