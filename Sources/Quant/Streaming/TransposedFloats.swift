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
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        guard !range.isEmpty else { return }
        let size = dtype.byteCount
        let rows = range.lowerBound / columnCount..<(range.upperBound - 1) / columnCount + 1
        // The part of each row of the source that falls into these rows.
        var strip = try AlignedBuffer.allocate(byteCount: rows.count * size)
        for column in 0..<columnCount {
            let start = column * rowCount
            try strip.withMutableBytes { (strip: inout MutableRawSpan) throws(CheckpointError) in
                try base.read(start + rows.lowerBound..<start + rows.upperBound, into: &strip)
            }
            strip.withBytes { strip in
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
    }
}
