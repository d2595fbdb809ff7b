/// The number of rows and columns of a row-major buffer.
struct MatrixShape {
    let rowCount: Int
    let columnCount: Int

    /// - Precondition: both are at least 0.
    init(rowCount: Int, columnCount: Int) {
        precondition(rowCount >= 0 && columnCount >= 0, "shape [\(rowCount), \(columnCount)]")
        self.rowCount = rowCount
        self.columnCount = columnCount
    }

    /// Stops the process if a buffer of this shape has another size.
    func check(byteCount: Int, elementByteCount: Int) {
        precondition(
            byteCount == rowCount * columnCount * elementByteCount,
            "\(byteCount) bytes for [\(rowCount), \(columnCount)] of \(elementByteCount) bytes each"
        )
    }
}
