internal import CSIMDKernels
package import Machine

/// Multiplies rows of gradients with a packed weight: `dx = dy · W`, without expanding it.
///
/// For each element of `dx`, over the rows of the weight, from 0 or from what `dx` held:
/// `t = fma(dy, w, t)`, where `w` is the dequantized element. In float32 all variants give the same
/// bits; in bfloat16, where `dy` and `w` are rounded first, they agree within the bound of a sum of `N`
/// terms. `qk_multiply_transposed.h` gives the orders.
@safe
package struct MultiplyTransposedKernel: KernelEntry {
    package let variant: KernelVariant
    /// The codes of the weight.
    package let width: CodeWidth
    /// How operands are rounded.
    package let mode: ComputeMode
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_multiply_transposed_entry

    /// The variants for codes of a width and a mode, the one measured fastest first, generic
    /// last.
    /// - Precondition: the mode is not int8, which has no gradients.
    package static func compiled(_ width: CodeWidth, _ mode: ComputeMode) -> [Self] {
        let entries =
            switch (width, mode) {
            case (.four, .float32): unsafe qk_multiply_4bit_transposed_float32_entries
            case (.four, .bfloat16): unsafe qk_multiply_4bit_transposed_bfloat16_entries
            case (.eight, .float32): unsafe qk_multiply_8bit_transposed_float32_entries
            case (.eight, .bfloat16): unsafe qk_multiply_8bit_transposed_bfloat16_entries
            case (_, .int8): preconditionFailure("gradients have no int8 mode")
            }
        return unsafe compiledEntries(entries) {
            unsafe Self(
                variant: KernelVariant($0.variant),
                width: width,
                mode: mode,
                entry: $0
            )
        }
    }

    /// The variant in use.
    /// - Precondition: the mode is not int8.
    package static func selected(_ width: CodeWidth, _ mode: ComputeMode) -> Self {
        precondition(mode != .int8, "gradients have no int8 mode")
        return selection[width.index][mode.index]
    }

    private static let selection: [[Self]] = CodeWidth.allCases.map { width in
        [ComputeMode.float32, .bfloat16].map { compiled(width, $0).preferred() }
    }
}

/// The columns of the weight that one thread decodes at a time.
private let columnTile = Int(QK_COLUMN_TILE)
/// Bytes of decoded weight for each worker.
private let tileByteCount = Int(QK_TRANSPOSED_SCRATCH_BYTES)

extension MultiplyTransposedKernel {
    /// Multiplies: `dx = dy · W` (+ dx).
    ///
    /// Nothing is allocated if the scratch buffer is large enough; it grows to the packed
    /// gradients and 128 KiB for each worker.
    /// - Parameters:
    ///   - dy: `rowCount` rows of `N` numbers, row by row.
    ///   - rowCount: `M`.
    ///   - panels: the sizes of the weight.
    ///   - codes: `panels.codeByteCount` bytes.
    ///   - scales: `panels.scaleCount` numbers.
    ///   - values: what 16 codes stand for; nil for codes of 8 bits.
    ///   - dx: receives `M · K` numbers, row by row.
    ///   - accumulates: whether the result is added to what `dx` holds.
    ///   - scratch: for the packed gradients and the decoded parts of the weight.
    ///   - workers: the threads.
    /// - Throws: `AllocationError` if the scratch buffer cannot grow.
    package func multiply(
        _ dy: Span<Float>,
        rowCount: Int,
        with panels: PackedPanels,
        codes: RawSpan,
        scales: Span<Float>,
        values: Codebook4Bit?,
        into dx: inout MutableSpan<Float>,
        accumulates: Bool,
        scratch: inout AlignedBuffer,
        on workers: WorkerPool
    ) throws(AllocationError) {
        precondition(panels.width == width, "a kernel for other codes")
        precondition(dy.count == rowCount * panels.rowCount, "\(dy.count) gradients")
        precondition(dx.count == rowCount * panels.columnCount, "\(dx.count) results")
        guard rowCount > 0 else { return }
        let rows = PackedRows(
            rowCount: rowCount,
            columnCount: panels.rowCount,
            group: panels.rowCount,
            packing: unsafe entry.packing,
            limit: Int(QK_GRADIENT_ROWS)
        )
        // The decoded parts first: they begin at multiples of 64 bytes.
        let tilesByteCount = tileByteCount * workers.threadCount
        let byteCount = tilesByteCount + rows.byteCount
        if scratch.byteCount < byteCount { scratch = try AlignedBuffer(byteCount: byteCount) }
        unsafe withPackedWeight(panels, codes, scales, values) { weight in
            scratch.withMutablePrefix(byteCount) { scratch in
                var packed = scratch._mutatingExtracting(tilesByteCount..<byteCount)
                rows.pack(dy, into: &packed, on: workers)
                unsafe scratch.withUnsafeMutableBytes { scratch in
                    unsafe dx.withUnsafeMutableBufferPointer { dx in
                        let product = unsafe TransposedProduct(
                            function: entry.function,
                            weight: weight,
                            rows: rows,
                            dy: UnsafeRawPointer(scratch.baseAddress?.advanced(by: tilesByteCount)),
                            dx: dx.baseAddress,
                            accumulates: accumulates,
                            scratch: scratch.baseAddress
                        )
                        product.run(on: workers)
                    }
                }
            }
        }
    }
}

/// A product whose tiles of columns are computed on several threads.
///
/// `@unchecked Sendable`: every tile writes its own columns of the result, every worker its own
/// scratch memory, and all else is read; it lives no longer than the call that makes it.
@safe
private struct TransposedProduct: @unchecked Sendable {
    let function: (@convention(c) (UnsafePointer<qk_multiply_transposed_arguments>?) -> Void)?
    let weight: qk_packed_weight
    let rows: PackedRows
    let dy: UnsafeRawPointer?
    let dx: UnsafeMutablePointer<Float>?
    let accumulates: Bool
    let scratch: UnsafeMutableRawPointer?

    func run(on workers: WorkerPool) {
        let columnCount = unsafe weight.k
        workers.perform((columnCount + columnTile - 1) / columnTile) { tile, worker in
            var arguments = unsafe qk_multiply_transposed_arguments(
                weight: weight,
                first_column: tile * columnTile,
                dy: dy,
                tile_rows: rows.tileRowCount,
                tile_stride: rows.tileByteCount,
                rows: rows.rowCount,
                dx: dx,
                dx_stride: columnCount,
                accumulates: accumulates ? 1 : 0,
                scratch: scratch?.advanced(by: worker * tileByteCount)
            )
            unsafe function?(&arguments)
        }
    }
}
