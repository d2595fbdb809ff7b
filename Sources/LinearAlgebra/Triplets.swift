internal import CLinearAlgebra
internal import Tensors

/// Singular triplets in Double.
struct Triplets {
    /// `[N, count]`.
    let left: DoubleMatrix
    /// Descending.
    let values: [Double]
    /// `[count, K]`.
    let right: DoubleMatrix

    init(left: DoubleMatrix, values: [Double], right: DoubleMatrix) {
        self.left = left
        self.values = values
        self.right = right
    }

    /// All triplets, by divide and conquer.
    init(of matrix: DoubleMatrix) throws(LinearAlgebraError) {
        let (rows, columns) = (matrix.rowCount, matrix.columnCount)
        let count = min(rows, columns)
        guard count > 0 else {
            self.init(
                left: DoubleMatrix(rowCount: rows, columnCount: 0),
                values: [],
                right: DoubleMatrix(rowCount: 0, columnCount: columns)
            )
            return
        }
        var work = matrix.elements
        var values = [Double](repeating: 0, count: count)
        var left = DoubleMatrix(rowCount: rows, columnCount: count)
        var right = DoubleMatrix(rowCount: count, columnCount: columns)
        let info = unsafe la_dgesdd(
            CChar(UInt8(ascii: "S")),
            Int32(rows),
            Int32(columns),
            &work,
            Int32(columns),
            &values,
            &left.elements,
            Int32(count),
            &right.elements,
            Int32(columns)
        )
        try LinearAlgebraError.check(info, "dgesdd")
        self.init(left: left, values: values, right: right)
    }

    /// The leading triplets, from the eigenvalues of the smaller Gram matrix.
    init(ofGram matrix: DoubleMatrix, count: Int) throws(LinearAlgebraError) {
        let isWide = matrix.rowCount <= matrix.columnCount
        let size = min(matrix.rowCount, matrix.columnCount)
        var gram = isWide ? matrix.times(matrix.transposed()) : matrix.transposed().times(matrix)
        var found: Int32 = 0
        var values = [Double](repeating: 0, count: size)
        var vectors = DoubleMatrix(rowCount: size, columnCount: count)
        var support = [Int32](repeating: 0, count: 2 * max(count, 1))
        let info = unsafe la_dsyevr(
            CChar(UInt8(ascii: "V")),
            CChar(UInt8(ascii: "I")),
            CChar(UInt8(ascii: "U")),
            Int32(size),
            &gram.elements,
            Int32(size),
            0,
            0,
            Int32(size - count + 1),
            Int32(size),
            0,
            &found,
            &values,
            &vectors.elements,
            Int32(count),
            &support
        )
        try LinearAlgebraError.check(info, "dsyevr")
        // Ascending there.
        let order = (0..<Int(found)).reversed()
        let singular = order.map { max(values[$0], 0).squareRoot() }
        var own = DoubleMatrix(rowCount: size, columnCount: Int(found))
        for (place, index) in order.enumerated() {
            for row in 0..<size { own[row, place] = vectors[row, index] }
        }
        var other = isWide ? own.transposed().times(matrix) : matrix.times(own)
        for (index, value) in singular.enumerated() {
            // Below rounding there is no direction.
            let factor = value > 1e-7 * (singular.first ?? 0) ? 1 / value : 0
            if isWide {
                for column in 0..<other.columnCount { other[index, column] *= factor }
            } else {
                for row in 0..<other.rowCount { other[row, index] *= factor }
            }
        }
        self.init(
            left: isWide ? own : other,
            values: singular,
            right: isWide ? other : own.transposed()
        )
    }
}

/// A matrix in Double, row by row.
struct DoubleMatrix {
    let rowCount: Int
    let columnCount: Int
    var elements: [Double]

    init(rowCount: Int, columnCount: Int) {
        self.rowCount = rowCount
        self.columnCount = columnCount
        elements = [Double](repeating: 0, count: rowCount * columnCount)
    }

    init(_ matrix: Matrix) {
        rowCount = matrix.rowCount
        columnCount = matrix.columnCount
        elements = matrix.elements.map(Double.init)
    }

    /// Rounded to float32.
    var matrix: Matrix {
        Matrix(rowCount: rowCount, columnCount: columnCount, elements: elements.map { Float($0) })
    }

    subscript(row: Int, column: Int) -> Double {
        get { elements[row * columnCount + column] }
        set { elements[row * columnCount + column] = newValue }
    }

    func row(_ index: Int) -> ArraySlice<Double> {
        elements[index * columnCount..<(index + 1) * columnCount]
    }

    func transposed() -> DoubleMatrix {
        var result = DoubleMatrix(rowCount: columnCount, columnCount: rowCount)
        for row in 0..<rowCount {
            for column in 0..<columnCount { result[column, row] = self[row, column] }
        }
        return result
    }

    func times(_ other: DoubleMatrix) -> DoubleMatrix {
        precondition(columnCount == other.rowCount, "\(columnCount) and \(other.rowCount)")
        var result = DoubleMatrix(rowCount: rowCount, columnCount: other.columnCount)
        guard !result.elements.isEmpty, columnCount > 0 else { return result }
        unsafe la_dgemm(
            Int32(LA_AS_STORED),
            Int32(LA_AS_STORED),
            Int32(rowCount),
            Int32(other.columnCount),
            Int32(columnCount),
            1,
            elements,
            Int32(columnCount),
            other.elements,
            Int32(other.columnCount),
            0,
            &result.elements,
            Int32(other.columnCount)
        )
        return result
    }

    /// Returns the eigenvalues of a symmetric matrix, descending, and the eigenvectors as rows.
    func eigenvectors() throws(LinearAlgebraError) -> (values: [Double], vectors: DoubleMatrix) {
        precondition(rowCount == columnCount, "[\(rowCount), \(columnCount)] is not square")
        var columns = self
        var values = [Double](repeating: 0, count: rowCount)
        let info = unsafe la_dsyevd(
            CChar(UInt8(ascii: "V")),
            CChar(UInt8(ascii: "U")),
            Int32(rowCount),
            &columns.elements,
            Int32(rowCount),
            &values
        )
        try LinearAlgebraError.check(info, "dsyevd")
        // Ascending there, and in columns.
        var vectors = DoubleMatrix(rowCount: rowCount, columnCount: rowCount)
        for row in 0..<rowCount {
            for column in 0..<rowCount {
                vectors[row, column] = columns[column, rowCount - 1 - row]
            }
        }
        return (values.reversed(), vectors)
    }

    /// Returns `Q`, `[N, p]`, and `R`, `[p, p]`, of a matrix with at least as many rows as columns.
    func orthogonalized() throws(LinearAlgebraError) -> (q: DoubleMatrix, r: DoubleMatrix) {
        precondition(rowCount >= columnCount, "\(rowCount) rows for \(columnCount) columns")
        var q = self
        var r = DoubleMatrix(rowCount: columnCount, columnCount: columnCount)
        var factors = [Double](repeating: 0, count: columnCount)
        let (rows, columns) = (Int32(rowCount), Int32(columnCount))
        try LinearAlgebraError.check(
            unsafe la_dgeqrf(rows, columns, &q.elements, columns, &factors),
            "dgeqrf"
        )
        for row in 0..<columnCount {
            for column in row..<columnCount { r[row, column] = q[row, column] }
        }
        let info = unsafe la_dorgqr(
            rows,
            columns,
            columns,
            &q.elements,
            columns,
            factors
        )
        try LinearAlgebraError.check(info, "dorgqr")
        return (q, r)
    }
}
