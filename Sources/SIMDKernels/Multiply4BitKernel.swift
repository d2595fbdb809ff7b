internal import CSIMDKernels
package import Machine

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
    /// How the function wants its activations.
    fileprivate let packing: qk_row_packing

    fileprivate init(_ entry: qk_multiply_4bit_entry) {
        unsafe function = entry.function
        packing = unsafe entry.packing
    }
}

/// The products of `ComputeMode.float32`.
package struct Multiply4BitFloat32Kernel: Multiply4BitKernel {
    package static let mode = ComputeMode.float32
    package let variant: KernelVariant
    package let function: Multiply4BitFunction

    package static let compiled = unsafe compiledEntries(qk_multiply_4bit_float32_entries) {
        unsafe Self(
            variant: KernelVariant($0.variant),
            function: Multiply4BitFunction($0)
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
            function: Multiply4BitFunction($0)
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
            function: Multiply4BitFunction($0)
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
        let rows = PackedRows(
            rowCount: rowCount,
            columnCount: panels.columnCount,
            group: panels.group,
            packing: function.packing,
            limit: Int(QK_TILE_ROWS)
        )
        guard rowCount > 0 else { return }
        let byteCount = rows.byteCount
        if scratch.byteCount < byteCount { scratch = try AlignedBuffer(byteCount: byteCount) }
        scratch.withMutablePrefix(byteCount) { rows.pack(x, into: &$0, on: workers) }
        scratch.withPrefix(byteCount) { packed in
            unsafe packed.withUnsafeBytes { packed in
                unsafe withPackedWeight(panels, codes, scales, values) { weight in
                    unsafe y.withUnsafeMutableBufferPointer { y in
                        let product = unsafe PackedProduct(
                            weight: weight,
                            rows: rows,
                            x: packed.baseAddress,
                            y: y.baseAddress,
                            bias: options.bias,
                            accumulates: options.accumulates
                        )
                        product.run(function, panelCount: panels.panelCount, on: workers)
                    }
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
    let rows: PackedRows
    let x: UnsafeRawPointer?
    let y: UnsafeMutablePointer<Float>?
    let bias: [Float]?
    let accumulates: Bool

    /// Codes of so many panels stay in the second-level cache while all rows pass over them.
    private static let panelsInCache = 32

    func run(_ function: Multiply4BitFunction, panelCount: Int, on workers: WorkerPool) {
        let tileCount = rows.tileCount
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
        let firstRow = tile * rows.tileRowCount
        unsafe (bias ?? []).withUnsafeBufferPointer { biases in
            var arguments = unsafe qk_multiply_4bit_arguments(
                weight: weight,
                first_panel: firstPanel,
                end_panel: endPanel,
                x: x?.advanced(by: tile * rows.tileByteCount),
                rows: rows.rowCount(ofTile: tile),
                y: y?.advanced(by: firstRow * weight.n),
                y_stride: weight.n,
                bias: bias == nil ? nil : biases.baseAddress,
                accumulates: accumulates ? 1 : 0
            )
            unsafe function.function?(&arguments)
        }
    }
}
