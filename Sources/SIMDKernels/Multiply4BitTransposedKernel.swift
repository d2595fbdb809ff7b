internal import CSIMDKernels
package import Machine

/// Multiplies rows of gradients with a packed 4-bit weight: `dx = dy · W`, without expanding it.
///
/// For each element of `dx`, over the rows of the weight, ascending, from 0 or from what `dx` held:
/// `t = fma(dy, fl(values[code] · scale), t)`. All variants give the same bits, whatever the number
/// of threads. `qk_multiply_4bit_transposed.h` gives the details.
@safe
package struct Multiply4BitTransposedKernel: Kernel {
    package let variant: KernelVariant
    private let function:
        (
            @convention(c) (
                UnsafePointer<qk_multiply_4bit_transposed_arguments>?
            ) -> Void
        )?

    package static let compiled = unsafe compiledEntries(qk_multiply_4bit_transposed_entries) {
        unsafe Self(variant: KernelVariant($0.variant), function: $0.function)
    }
    package static let selected = preferred()

    /// The columns of the weight that one thread decodes at a time.
    private static let columnTile = Int(QK_COLUMN_TILE)
    /// Bytes of decoded weight for each worker.
    private static let tileByteCount = Int(QK_TRANSPOSED_SCRATCH_BYTES)

    /// Multiplies: `dx = dy · W` (+ dx).
    ///
    /// Nothing is allocated if the scratch buffer is large enough; it grows to 128 KiB for each
    /// worker.
    /// - Parameters:
    ///   - dy: `rowCount` rows of `N` numbers, row by row.
    ///   - rowCount: `M`.
    ///   - panels: the sizes of the weight.
    ///   - codes: `panels.codeByteCount` bytes.
    ///   - scales: `panels.scaleCount` numbers.
    ///   - values: what the 16 codes stand for.
    ///   - dx: receives `M · K` numbers, row by row.
    ///   - accumulates: whether the result is added to what `dx` holds.
    ///   - scratch: for the decoded parts of the weight.
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
        let byteCount = Self.tileByteCount * workers.threadCount
        if scratch.byteCount < byteCount { scratch = try AlignedBuffer(byteCount: byteCount) }
        unsafe withPackedWeight(panels, codes, scales, values) { weight in
            scratch.withMutablePrefix(byteCount) { scratch in
                unsafe scratch.withUnsafeMutableBytes { scratch in
                    unsafe dy.withUnsafeBufferPointer { dy in
                        unsafe dx.withUnsafeMutableBufferPointer { dx in
                            let product = unsafe TransposedProduct(
                                weight: weight,
                                dy: dy.baseAddress,
                                dx: dx.baseAddress,
                                rowCount: rowCount,
                                accumulates: accumulates,
                                scratch: scratch.baseAddress
                            )
                            run(product, panels.columnCount, on: workers)
                        }
                    }
                }
            }
        }
    }

    private func run(_ product: TransposedProduct, _ columnCount: Int, on workers: WorkerPool) {
        let tileCount = (columnCount + Self.columnTile - 1) / Self.columnTile
        workers.perform(tileCount) { tile, worker in
            var arguments = unsafe qk_multiply_4bit_transposed_arguments(
                weight: product.weight,
                first_column: tile * Self.columnTile,
                dy: product.dy,
                dy_stride: product.weight.n,
                rows: product.rowCount,
                dx: product.dx,
                dx_stride: columnCount,
                accumulates: product.accumulates ? 1 : 0,
                scratch: product.scratch?.advanced(by: worker * Self.tileByteCount)
            )
            unsafe function?(&arguments)
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
    let dy: UnsafePointer<Float>?
    let dx: UnsafeMutablePointer<Float>?
    let rowCount: Int
    let accumulates: Bool
    let scratch: UnsafeMutableRawPointer?
}
