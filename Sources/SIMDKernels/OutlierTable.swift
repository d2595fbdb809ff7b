internal import CSIMDKernels
internal import Machine

/// The outliers of rows of activations, tile by tile.
///
/// They are taken out when rows are packed in int8, multiplied in float32 and added behind the product;
/// `qk_outliers.h` says which they are.
///
/// `@unchecked Sendable`: every tile has its own list and every worker its own memory, and all else is
/// read; it lives no longer than the call that makes it.
@safe
struct OutlierTable: @unchecked Sendable {
    private let rows: PackedRows
    private let threshold: Float
    /// The activations, as they were.
    private let x: UnsafePointer<Float>?
    /// For each tile the number of columns with outliers, then room for all columns.
    private let columns: UnsafeMutablePointer<UInt32>?
    /// For each worker a tile without its outliers.
    private let kept: UnsafeMutablePointer<Float>?

    /// The bytes that a table needs.
    static func byteCount(_ rows: PackedRows, _ workers: WorkerPool) -> Int {
        4 * (listByteCount(rows) / 4 + workers.threadCount * rows.tileRowCount * rows.columnCount)
    }

    private static func listByteCount(_ rows: PackedRows) -> Int {
        4 * rows.tileCount * (1 + rows.columnCount)
    }

    /// Makes a table of so many bytes at `memory`.
    init(
        _ rows: PackedRows,
        threshold: Float,
        of x: UnsafePointer<Float>?,
        in memory: UnsafeMutableRawPointer?
    ) {
        self.rows = rows
        self.threshold = threshold
        unsafe self.x = x
        unsafe columns = memory?.assumingMemoryBound(to: UInt32.self)
        let lists = Self.listByteCount(rows)
        unsafe kept = memory?.advanced(by: lists).assumingMemoryBound(to: Float.self)
    }

    /// Lists the outliers of a packed tile; returns the tile without them, or nil if there are none.
    func split(_ tile: Int, packed: UnsafeRawPointer?, _ worker: Int) -> UnsafePointer<Float>? {
        let list = unsafe list(of: tile)
        unsafe list?.pointee = 0
        let (count, columnCount) = (rows.rowCount(ofTile: tile), rows.columnCount)
        let mayHaveSome = unsafe qk_may_have_outliers(
            packed,
            count,
            columnCount,
            rows.group,
            threshold
        )
        guard mayHaveSome != 0 else { return nil }
        let own = unsafe kept?.advanced(by: worker * rows.tileRowCount * columnCount)
        let found = unsafe qk_split_outliers(
            activations(of: tile),
            columnCount,
            count,
            columnCount,
            threshold,
            own,
            list?.advanced(by: 1)
        )
        unsafe list?.pointee = UInt32(found)
        return unsafe found == 0 ? nil : UnsafePointer(own)
    }

    /// Adds the outliers of a tile to its product with 8-bit codes.
    func add(_ tile: Int, to product: UnsafePointer<qk_multiply_arguments>) {
        guard let list = unsafe list(of: tile), unsafe list.pointee > 0 else { return }
        var outliers = unsafe qk_outliers(
            x: activations(of: tile),
            stride: rows.columnCount,
            threshold: threshold,
            columns: list + 1,
            count: Int(list.pointee)
        )
        unsafe qk_add_outliers_8bit(product, &outliers)
    }

    private func list(of tile: Int) -> UnsafeMutablePointer<UInt32>? {
        unsafe columns?.advanced(by: tile * (1 + rows.columnCount))
    }

    private func activations(of tile: Int) -> UnsafePointer<Float>? {
        unsafe x?.advanced(by: tile * rows.tileRowCount * rows.columnCount)
    }
}
