internal import CSIMDKernels
package import Machine

/// Multiplies rows of gradients with a packed 4-bit weight: `dx = dy · W`, without expanding it.
///
/// For each element of `dx`, over the rows of the weight, from 0 or from what `dx` held:
/// `t = fma(dy, fl(values[code] · scale), t)`. In float32 all variants give the same bits; in bfloat16,
/// where `dy` and the element of the weight are rounded first, they agree within the bound of a sum of
/// `N` terms. `qk_multiply_4bit_transposed.h` gives the orders.
@safe
package protocol Multiply4BitTransposedKernel: Kernel {
    /// The mode, float32 or bfloat16.
    static var mode: ComputeMode { get }
    /// The function of the C table.
    var function: Multiply4BitTransposedFunction { get }
}

/// A function of the C table; see `qk_multiply_4bit_transposed.h`.
@safe
package struct Multiply4BitTransposedFunction: Sendable {
    fileprivate let function:
        (
            @convention(c) (
                UnsafePointer<qk_multiply_4bit_transposed_arguments>?
            ) -> Void
        )?
    /// How the function wants its gradients.
    fileprivate let packing: qk_row_packing

    fileprivate init(_ entry: qk_multiply_4bit_transposed_entry) {
        unsafe function = entry.function
        packing = unsafe entry.packing
    }
}

/// The gradients of `ComputeMode.float32`.
package struct Multiply4BitTransposedFloat32Kernel: Multiply4BitTransposedKernel {
    package static let mode = ComputeMode.float32
    package let variant: KernelVariant
    package let function: Multiply4BitTransposedFunction

    package static let compiled = unsafe compiledEntries(
        qk_multiply_4bit_transposed_float32_entries
    ) {
        unsafe Self(
            variant: KernelVariant($0.variant),
            function: Multiply4BitTransposedFunction($0)
        )
    }
    package static let selected = preferred()
}

/// The gradients of `ComputeMode.bfloat16`.
package struct Multiply4BitTransposedBFloat16Kernel: Multiply4BitTransposedKernel {
    package static let mode = ComputeMode.bfloat16
    package let variant: KernelVariant
    package let function: Multiply4BitTransposedFunction

    package static let compiled = unsafe compiledEntries(
        qk_multiply_4bit_transposed_bfloat16_entries
    ) {
        unsafe Self(
            variant: KernelVariant($0.variant),
            function: Multiply4BitTransposedFunction($0)
        )
    }
    package static let selected = preferred()
}

/// The columns of the weight that one thread decodes at a time.
private let columnTile = Int(QK_COLUMN_TILE)
/// Bytes of decoded weight for each worker.
private let tileByteCount = Int(QK_TRANSPOSED_SCRATCH_BYTES)

extension Multiply4BitTransposedKernel {
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
    ///   - values: what the 16 codes stand for.
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
        values: Codebook4Bit,
        into dx: inout MutableSpan<Float>,
        accumulates: Bool,
        scratch: inout AlignedBuffer,
        on workers: WorkerPool
    ) throws(AllocationError) {
        precondition(dy.count == rowCount * panels.rowCount, "\(dy.count) gradients")
        precondition(dx.count == rowCount * panels.columnCount, "\(dx.count) results")
        guard rowCount > 0 else { return }
        let rows = PackedRows(
            rowCount: rowCount,
            columnCount: panels.rowCount,
            group: panels.rowCount,
            packing: function.packing,
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
                            weight: weight,
                            rows: rows,
                            dy: UnsafeRawPointer(scratch.baseAddress?.advanced(by: tilesByteCount)),
                            dx: dx.baseAddress,
                            accumulates: accumulates,
                            scratch: scratch.baseAddress
                        )
                        product.run(function, on: workers)
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
    let weight: qk_packed_4bit
    let rows: PackedRows
    let dy: UnsafeRawPointer?
    let dx: UnsafeMutablePointer<Float>?
    let accumulates: Bool
    let scratch: UnsafeMutableRawPointer?

    func run(_ function: Multiply4BitTransposedFunction, on workers: WorkerPool) {
        let columnCount = unsafe weight.k
        workers.perform((columnCount + columnTile - 1) / columnTile) { tile, worker in
            var arguments = unsafe qk_multiply_4bit_transposed_arguments(
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
            unsafe function.function?(&arguments)
        }
    }
}
