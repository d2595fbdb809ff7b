internal import CSIMDKernels
internal import Machine

/// Rows of activations or gradients as products read them: tiles of a few rows, interleaved.
///
/// The rows of a tile pass over the weight together. `qk_pack_rows.h` gives the layout of a tile.
struct PackedRows {
    /// `M`.
    let rowCount: Int
    /// Numbers in a row.
    let columnCount: Int
    /// Numbers in a row that the weight has one scale for; counts for int8 only.
    let group: Int
    /// How a tile lies.
    let packing: qk_row_packing
    /// The rows of a tile; the last may have fewer.
    let tileRowCount: Int

    /// Lays out rows in tiles of at most `limit` rows, so that the last is not much shorter than the
    /// others.
    init(rowCount: Int, columnCount: Int, group: Int, packing: qk_row_packing, limit: Int) {
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.group = group
        self.packing = packing
        let tileCount = (rowCount + limit - 1) / limit
        tileRowCount = tileCount == 0 ? 0 : (rowCount + tileCount - 1) / tileCount
    }

    /// The number of tiles.
    var tileCount: Int {
        tileRowCount == 0 ? 0 : (rowCount + tileRowCount - 1) / tileRowCount
    }
    /// The bytes of a tile that is not the last.
    var tileByteCount: Int { byteCount(ofRows: tileRowCount) }
    /// The bytes of all tiles.
    var byteCount: Int {
        guard rowCount > 0 else { return 0 }
        return (tileCount - 1) * tileByteCount + byteCount(ofRows: rowCount(ofTile: tileCount - 1))
    }

    /// The rows of a tile.
    func rowCount(ofTile tile: Int) -> Int {
        min(tileRowCount, rowCount - tile * tileRowCount)
    }

    private func byteCount(ofRows rowCount: Int) -> Int {
        qk_packed_rows_size(rowCount, columnCount, group, packing)
    }

    /// Packs rows, the tiles on several threads.
    /// - Parameters:
    ///   - x: `rowCount` rows of `columnCount` numbers.
    ///   - packed: receives `byteCount` bytes.
    ///   - kernel: the variant.
    ///   - outliers: receives those of `x`, which count as zeros; nil takes none out.
    ///   - workers: the threads.
    func pack(
        _ x: Span<Float>,
        into packed: inout MutableRawSpan,
        with kernel: PackRowsKernel = .selected,
        outliers: OutlierTable? = nil,
        on workers: WorkerPool
    ) {
        precondition(x.count == rowCount * columnCount, "\(x.count) numbers to pack")
        precondition(packed.byteCount == byteCount, "\(packed.byteCount) bytes of packed rows")
        guard byteCount > 0 else { return }
        unsafe x.withUnsafeBufferPointer { x in
            // Read by all threads, written by none.
            nonisolated(unsafe) let x = x.baseAddress
            workers.perform(writing: &packed, every: tileByteCount) { tile, worker, packed in
                let rowCount = rowCount(ofTile: tile)
                unsafe kernel.pack(
                    x?.advanced(by: tile * tileRowCount * columnCount),
                    rowCount: rowCount,
                    of: self,
                    into: &packed
                )
                let kept = unsafe packed.withUnsafeBytes { packed in
                    unsafe outliers?.split(tile, packed: packed.baseAddress, worker)
                }
                if let kept = unsafe kept {
                    unsafe kernel.pack(kept, rowCount: rowCount, of: self, into: &packed)
                }
            }
        }
    }
}

/// Packs rows of activations or gradients for products; all variants give the same bytes.
@safe
struct PackRowsKernel: Kernel {
    let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_pack_rows_entry

    static let compiled = unsafe compiledEntries(qk_pack_rows_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    static let selected = preferred()

    /// Packs a tile: `rowCount` rows one behind the other at `x`.
    @unsafe
    fileprivate func pack(
        _ x: UnsafePointer<Float>?,
        rowCount: Int,
        of rows: PackedRows,
        into packed: inout MutableRawSpan
    ) {
        unsafe packed.withUnsafeMutableBytes { packed in
            unsafe entry.function(
                x,
                rows.columnCount,
                rowCount,
                rows.columnCount,
                rows.group,
                rows.packing,
                packed.baseAddress
            )
        }
    }
}
