/// A matrix of its own, `[rowCount, columnCount]`, row-major, Float32.
public struct Matrix: Hashable, Sendable {
    /// The number of rows; `N`, the outputs, of a weight.
    public let rowCount: Int
    /// The number of columns; `K`, the inputs, of a weight.
    public let columnCount: Int
    /// The elements, row by row; `rowCount · columnCount` of them.
    public private(set) var elements: [Float]

    /// Makes a matrix of its elements.
    /// - Precondition: no dimension is negative, and there are `rowCount · columnCount` elements.
    public init(rowCount: Int, columnCount: Int, elements: [Float]) {
        precondition(
            rowCount >= 0 && columnCount >= 0,
            "a matrix of \(rowCount) rows and \(columnCount) columns"
        )
        let (count, overflow) = rowCount.multipliedReportingOverflow(by: columnCount)
        precondition(
            !overflow && elements.count == count,
            "\(elements.count) elements for \(rowCount) rows of \(columnCount)"
        )
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.elements = elements
    }

    /// Makes a matrix of zeros.
    public init(rowCount: Int, columnCount: Int) {
        self.init(
            rowCount: rowCount,
            columnCount: columnCount,
            elements: [Float](repeating: 0, count: rowCount * columnCount)
        )
    }

    /// The element at a row and a column.
    public subscript(row: Int, column: Int) -> Float {
        get { elements[index(row, column)] }
        set { elements[index(row, column)] = newValue }
    }

    /// Some of the rows, without a copy.
    public func rows(in range: Range<Int>) -> MatrixView {
        precondition(
            0 <= range.lowerBound && range.upperBound <= rowCount,
            "rows \(range) of \(rowCount)"
        )
        return MatrixView(
            rowCount: range.count,
            columnCount: columnCount,
            elements: elements[
                range.lowerBound * columnCount..<range.upperBound * columnCount
            ]
        )
    }

    /// Calls `body` with the elements, row by row, to change them.
    package mutating func withMutableElements<Result, Failure: Error>(
        _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try elements.withMutableFloatSpan(body)
    }

    /// The matrix with rows and columns exchanged.
    public func transposed() -> Matrix {
        var result = Matrix(rowCount: columnCount, columnCount: rowCount)
        for row in 0..<rowCount {
            for column in 0..<columnCount { result[column, row] = self[row, column] }
        }
        return result
    }

    private func index(_ row: Int, _ column: Int) -> Int {
        precondition(
            0..<rowCount ~= row && 0..<columnCount ~= column,
            "element (\(row), \(column)) of [\(rowCount), \(columnCount)]"
        )
        return row * columnCount + column
    }
}
