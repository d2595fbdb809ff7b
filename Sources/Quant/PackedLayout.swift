/// Every size and place of the codes and scales of a matrix `[rowCount, columnCount]`.
///
/// The matrix is flattened row-major. Blocks are runs of `blockSize` elements that ignore the ends
/// of rows; the last may be short. Two 4-bit codes share a byte, the first in the high nibble.
public struct PackedLayout: Sendable, Hashable {
    /// The number of rows, `N`.
    public let rowCount: Int
    /// The number of columns, `K`.
    public let columnCount: Int
    /// Bits of one code, 4 or 8.
    public let codeBitCount: Int
    /// Elements that share a scale: a block, or with one scale a row the columns.
    public let scaleStride: Int
    /// Whether each row has one scale, also a row without elements.
    private let isRowwise: Bool

    /// Lays out a matrix.
    /// - Precondition: no dimension is negative, and the number of elements fits `Int`.
    public init(rowCount: Int, columnCount: Int, config: QuantizationConfig) {
        precondition(
            rowCount >= 0 && columnCount >= 0
                && !rowCount.multipliedReportingOverflow(by: columnCount).overflow,
            "a matrix of \(rowCount) rows and \(columnCount) columns"
        )
        self.rowCount = rowCount
        self.columnCount = columnCount
        isRowwise = !config.format.isBlockwise
        codeBitCount = config.format.bitCount
        scaleStride = config.format.isBlockwise ? config.blockSize.rawValue : max(columnCount, 1)
    }

    /// `N · K`.
    public var elementCount: Int { rowCount * columnCount }

    /// The bytes of all codes; a last, single nibble fills a byte.
    public var codeByteCount: Int { codeByteCount(forElements: elementCount) }

    /// The number of scales: blocks, or rows.
    public var scaleCount: Int {
        isRowwise ? rowCount : scaleCount(forElements: elementCount)
    }

    /// The bytes that the codes of the first `count` elements take.
    package func codeByteCount(forElements count: Int) -> Int {
        codeBitCount == 8 ? count : count / 2 + count % 2
    }

    /// The scales of the first `count` elements.
    package func scaleCount(forElements count: Int) -> Int {
        count / scaleStride + (count % scaleStride == 0 ? 0 : 1)
    }

    /// The place of a code: its byte, and whether it is in the low nibble of it.
    public func position(row: Int, column: Int) -> (byteOffset: Int, isLowNibble: Bool) {
        let index = elementIndex(row, column)
        return codeBitCount == 8 ? (index, false) : (index / 2, index % 2 == 1)
    }

    /// The position of the scale of an element.
    public func scaleIndex(row: Int, column: Int) -> Int {
        elementIndex(row, column) / scaleStride
    }

    private func elementIndex(_ row: Int, _ column: Int) -> Int {
        precondition(
            0..<rowCount ~= row && 0..<columnCount ~= column,
            "element (\(row), \(column)) of [\(rowCount), \(columnCount)]"
        )
        return row * columnCount + column
    }
}
