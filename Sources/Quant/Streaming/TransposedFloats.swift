package import CheckpointIO
internal import Machine
package import Tensors

/// The transpose `[N, K]` of a source `[K, N]`: GPT-2 stores its linear weights that way round.
package struct TransposedFloats: FloatSource {
    private let base: any FloatSource
    /// `N`, the rows of the transpose.
    private let rowCount: Int
    /// `K`, the columns of the transpose.
    private let columnCount: Int

    /// - Precondition: `base` has `rowCount · columnCount` elements.
    package init(_ base: any FloatSource, rowCount: Int, columnCount: Int) {
        precondition(
            base.elementCount == rowCount * columnCount,
            "\(base.elementCount) elements for [\(columnCount), \(rowCount)]"
        )
        self.base = base
        self.rowCount = rowCount
        self.columnCount = columnCount
    }

    package var dtype: FloatDType { base.dtype }
    package var elementCount: Int { base.elementCount }
    package var name: Name { base.name }
    package var fileName: String { base.fileName }

    package func read(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        guard !range.isEmpty else { return }
        let rows = range.lowerBound / columnCount..<(range.upperBound - 1) / columnCount + 1
        // The part of each row of the source that falls into these rows.
        let byteCount = rows.count * dtype.byteCount
        try workspace.withBuffer(byteCount) { (strip, workspace) throws(CheckpointError) in
            for column in 0..<columnCount {
                let start = column * rowCount
                try strip.withMutablePrefix(byteCount) { (strip) throws(CheckpointError) in
                    try base.read(
                        start + rows.lowerBound..<start + rows.upperBound,
                        into: &strip,
                        &workspace
                    )
                }
                strip.withPrefix(byteCount) { strip in
                    spread(strip, of: rows, into: column, of: range, &bytes)
                }
            }
        }
    }

    /// Puts a strip, one element for each of some rows, into a column of what was asked for.
    private func spread(
        _ strip: RawSpan,
        of rows: Range<Int>,
        into column: Int,
        of range: Range<Int>,
        _ bytes: inout MutableRawSpan
    ) {
        let size = dtype.byteCount
        for row in rows {
            let index = row * columnCount + column
            guard range.contains(index) else { continue }
            let source = (row - rows.lowerBound) * size
            let target = (index - range.lowerBound) * size
            for byte in 0..<size {
                bytes.storeBytes(
                    of: strip.byte(at: source + byte),
                    toByteOffset: target + byte,
                    as: UInt8.self
                )
            }
        }
    }
}
