/// Some rows of a matrix, which share its storage.
public struct MatrixView: Hashable, Sendable {
    /// The number of rows.
    public let rowCount: Int
    /// The number of columns, those of the matrix.
    public let columnCount: Int
    /// The elements, row by row.
    public let elements: ArraySlice<Float>

    init(rowCount: Int, columnCount: Int, elements: ArraySlice<Float>) {
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.elements = elements
    }

    /// The element at a row, counted from the first of the view, and a column.
    public subscript(row: Int, column: Int) -> Float {
        precondition(
            0..<rowCount ~= row && 0..<columnCount ~= column,
            "element (\(row), \(column)) of [\(rowCount), \(columnCount)]"
        )
        return elements[elements.startIndex + row * columnCount + column]
    }

    /// A matrix of its own with these rows.
    public var copy: Matrix {
        Matrix(rowCount: rowCount, columnCount: columnCount, elements: Array(elements))
    }
}
