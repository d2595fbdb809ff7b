internal import CSIMDKernels
package import Machine

/// How the numbers of a product are rounded before they are multiplied.
public enum ComputeMode: String, Sendable, Hashable, CaseIterable {
    /// Values of codes and activations in float32, every product and sum one fused multiply-add.
    case float32
    /// Both rounded to bfloat16, products exact, sums in float32: what QLoRA calls compute dtype.
    case bfloat16
    /// Activations rounded to multiples of a step that at most 64 of them share, values of codes to
    /// multiples of one step, both at most 127; products and their sums are integers. The fastest, and
    /// several times as inexact as bfloat16.
    case int8
}

/// Multiplies rows of activations with a packed 4-bit weight: `y = x · Wᵀ`, without expanding it.
///
/// For each output, with `w = values[code]`: the elements of a group that share a scale are summed
/// in a fixed order; then `t = fma(scale, sum, t)` over the groups, ascending; then the bias, then
/// what `y` held. All float32 variants give the same bits, and all int8 ones; bfloat16 ones agree
/// within the bound of a sum of `K` terms. `qk_multiply_4bit.h` gives the orders.
@safe
package protocol Multiply4BitKernel: Kernel {
    /// The mode.
    static var mode: ComputeMode { get }
    /// The function of the C table.
    var function: Multiply4BitFunction { get }
}

/// A function of the C table; see `qk_multiply_4bit.h`.
@safe
package struct Multiply4BitFunction: Sendable {
    fileprivate let function:
        (
            @convention(c) (
                UnsafePointer<qk_multiply_4bit_arguments>?
            ) -> Void
        )?
}

/// The products of `ComputeMode.float32`.
package struct Multiply4BitFloat32Kernel: Multiply4BitKernel {
    package static let mode = ComputeMode.float32
    package let variant: KernelVariant
    package let function: Multiply4BitFunction

    package static let compiled = unsafe compiledEntries(qk_multiply_4bit_float32_entries) {
        unsafe Self(
            variant: KernelVariant($0.variant),
            function: Multiply4BitFunction(function: $0.function)
        )
    }
    package static let selected = preferred()
}

/// The products of `ComputeMode.bfloat16`.
package struct Multiply4BitBFloat16Kernel: Multiply4BitKernel {
    package static let mode = ComputeMode.bfloat16
    package let variant: KernelVariant
    package let function: Multiply4BitFunction

    package static let compiled = unsafe compiledEntries(qk_multiply_4bit_bfloat16_entries) {
        unsafe Self(
            variant: KernelVariant($0.variant),
            function: Multiply4BitFunction(function: $0.function)
        )
    }
    package static let selected = preferred()
}

/// The products of `ComputeMode.int8`.
package struct Multiply4BitInt8Kernel: Multiply4BitKernel {
    package static let mode = ComputeMode.int8
    package let variant: KernelVariant
    package let function: Multiply4BitFunction

    package static let compiled = unsafe compiledEntries(qk_multiply_4bit_int8_entries) {
        unsafe Self(
            variant: KernelVariant($0.variant),
            function: Multiply4BitFunction(function: $0.function)
        )
    }
    package static let selected = preferred()
}

/// What a product does with its result.
package struct ProductOptions: Sendable {
    /// Added to every row; `N` numbers, or none.
    package var bias: [Float]?
    /// Whether the result is added to what the output holds.
    package var accumulates = false

    package init() {}
}

extension Multiply4BitKernel {
    /// Multiplies: `y = x · Wᵀ` (+ bias) (+ y).
    ///
    /// The bits do not depend on the number of threads. Nothing is allocated if the scratch buffer is
    /// large enough; it grows to the packed activations.
    /// - Parameters:
    ///   - x: `rowCount` rows of `K` numbers, row by row.
    ///   - rowCount: `M`.
    ///   - panels: the sizes of the weight.
    ///   - codes: `panels.codeByteCount` bytes.
    ///   - scales: `panels.scaleCount` numbers.
    ///   - values: what the 16 codes stand for.
    ///   - y: receives `M · N` numbers, row by row.
    ///   - options: bias, accumulate.
    ///   - scratch: for the packed activations.
    ///   - workers: the threads.
    /// - Throws: `AllocationError` if the scratch buffer cannot grow.
    package func multiply(
        _ x: Span<Float>,
        rowCount: Int,
        with panels: PackedPanels,
        codes: RawSpan,
        scales: Span<Float>,
        values: Codebook4Bit,
        into y: inout MutableSpan<Float>,
        options: ProductOptions,
        scratch: inout AlignedBuffer,
        on workers: WorkerPool
    ) throws(AllocationError) {
        precondition(x.count == rowCount * panels.columnCount, "\(x.count) activations")
        precondition(y.count == rowCount * panels.rowCount, "\(y.count) outputs")
        precondition(options.bias.map { $0.count == panels.rowCount } ?? true, "bias")
        guard rowCount > 0 else { return }
        let tileRows = TileRows.count(forRows: rowCount)
        let byteCount = TileRows.byteCount(rowCount: rowCount, for: panels, mode: Self.mode)
        if scratch.byteCount < byteCount { scratch = try AlignedBuffer(byteCount: byteCount) }
        let tileByteCount = byteCount / rowCount * tileRows
        packRows(x, tileRows, panels, tileByteCount, byteCount, &scratch, workers)
        scratch.withPrefix(byteCount) { packed in
            unsafe packed.withUnsafeBytes { packed in
                unsafe withPackedWeight(panels, codes, scales, values) { weight in
                    unsafe y.withUnsafeMutableBufferPointer { y in
                        let product = unsafe PackedProduct(
                            weight: weight,
                            x: packed.baseAddress,
                            y: y.baseAddress,
                            bias: options.bias,
                            accumulates: options.accumulates,
                            rowCount: rowCount,
                            tileRows: tileRows,
                            tileByteCount: tileByteCount
                        )
                        product.run(function, panelCount: panels.panelCount, on: workers)
                    }
                }
            }
        }
    }

    private func packRows(
        _ x: Span<Float>,
        _ tileRows: Int,
        _ panels: PackedPanels,
        _ tileByteCount: Int,
        _ byteCount: Int,
        _ scratch: inout AlignedBuffer,
        _ workers: WorkerPool
    ) {
        let columnCount = panels.columnCount
        unsafe x.withUnsafeBufferPointer { x in
            // Read by all threads, written by none.
            nonisolated(unsafe) let x = unsafe x
            scratch.withMutablePrefix(byteCount) { packed in
                workers.perform(writing: &packed, every: tileByteCount) { tile, _, packed in
                    let start = tile * tileRows * columnCount
                    let rows = unsafe min(tileRows, (x.count - start) / columnCount)
                    unsafe TileRows.pack(
                        Span(_unsafeElements: x).extracting(start..<start + rows * columnCount),
                        stride: columnCount,
                        rowCount: rows,
                        for: panels,
                        mode: Self.mode,
                        into: &packed
                    )
                }
            }
        }
    }
}

/// Calls `body` with a packed weight as the C functions take it.
///
/// - Precondition: the numbers of bytes and scales are those of the panels.
@unsafe
func withPackedWeight(
    _ panels: PackedPanels,
    _ codes: RawSpan,
    _ scales: Span<Float>,
    _ values: Codebook4Bit,
    _ body: (qk_packed_4bit) -> Void
) {
    precondition(codes.byteCount == panels.codeByteCount, "\(codes.byteCount) bytes of codes")
    precondition(scales.count == panels.scaleCount, "\(scales.count) scales")
    unsafe codes.withUnsafeBytes { codes in
        unsafe scales.withUnsafeBufferPointer { scales in
            unsafe values.values.withUnsafeBufferPointer { floats in
                unsafe values.int8Values.withUnsafeBufferPointer { integers in
                    unsafe body(
                        qk_packed_4bit(
                            codes: codes.assumingMemoryBound(to: UInt8.self).baseAddress,
                            scales: scales.baseAddress,
                            values: floats.baseAddress,
                            int8_values: integers.baseAddress,
                            int8_step: values.int8Step,
                            n: panels.rowCount,
                            k: panels.columnCount,
                            group: panels.group
                        )
                    )
                }
            }
        }
    }
}

/// A product whose panels are computed on several threads.
///
/// `@unchecked Sendable`: every panel writes its own columns of the output, and all else is read; it
/// lives no longer than the call that makes it.
@safe
private struct PackedProduct: @unchecked Sendable {
    let weight: qk_packed_4bit
    let x: UnsafeRawPointer?
    let y: UnsafeMutablePointer<Float>?
    let bias: [Float]?
    let accumulates: Bool
    let rowCount: Int
    let tileRows: Int
    let tileByteCount: Int

    /// Codes of so many panels stay in the second-level cache while all rows pass over them.
    private static let panelsInCache = 32

    func run(_ function: Multiply4BitFunction, panelCount: Int, on workers: WorkerPool) {
        let tileCount = (rowCount + tileRows - 1) / tileRows
        // With one tile nothing is read twice: long streams, but enough pieces for all threads.
        let pieces = 4 * workers.threadCount
        let stride =
            tileCount == 1 ? max(1, (panelCount + pieces - 1) / pieces) : Self.panelsInCache
        workers.perform((panelCount + stride - 1) / stride) { piece, _ in
            let first = piece * stride
            let end = min(first + stride, panelCount)
            for tile in 0..<tileCount { multiply(function, tile, first, end) }
        }
    }

    private func multiply(
        _ function: Multiply4BitFunction,
        _ tile: Int,
        _ firstPanel: Int,
        _ endPanel: Int
    ) {
        let firstRow = tile * tileRows
        unsafe (bias ?? []).withUnsafeBufferPointer { biases in
            var arguments = unsafe qk_multiply_4bit_arguments(
                weight: weight,
                first_panel: firstPanel,
                end_panel: endPanel,
                x: x?.advanced(by: tile * tileByteCount),
                rows: min(tileRows, rowCount - firstRow),
                y: y?.advanced(by: firstRow * weight.n),
                y_stride: weight.n,
                bias: bias == nil ? nil : biases.baseAddress,
                accumulates: accumulates ? 1 : 0
            )
            unsafe function.function?(&arguments)
        }
    }
}
