import LinearAlgebra
import Machine
import TestSupport
import Tensors
import Testing

@Suite struct TruncatedSVDTests {
    private static func random(_ rows: Int, _ columns: Int, _ seed: UInt64) -> Matrix {
        var generator = SeededGenerator(seed: seed)
        return Matrix(
            rowCount: rows,
            columnCount: columns,
            elements: (0..<rows * columns).map { _ in Float.random(in: -1...1, using: &generator) }
        )
    }

    private static func product(_ a: Matrix, _ b: Matrix) -> Matrix {
        var result = Matrix(rowCount: a.rowCount, columnCount: b.columnCount)
        for row in 0..<a.rowCount {
            for column in 0..<b.columnCount {
                var sum = 0.0
                for term in 0..<a.columnCount {
                    sum += Double(a[row, term]) * Double(b[term, column])
                }
                result[row, column] = Float(sum)
            }
        }
        return result
    }

    /// `U` and `V` are orthonormal, values descend, and together they give the matrix, or its nearest of
    /// that rank: what is left is orthogonal to both.
    private static func check(_ svd: TruncatedSVD, _ matrix: Matrix, rank: Int) {
        for index in svd.values.indices.dropFirst() {
            #expect(svd.values[index] <= svd.values[index - 1])
        }
        let count = min(rank, svd.values.count)
        for i in 0..<count {
            for j in 0...i {
                let left = (0..<matrix.rowCount).reduce(0.0) {
                    $0 + Double(svd.left[$1, i]) * Double(svd.left[$1, j])
                }
                let right = (0..<matrix.columnCount).reduce(0.0) {
                    $0 + Double(svd.right[i, $1]) * Double(svd.right[j, $1])
                }
                #expect(abs(left - (i == j ? 1 : 0)) < 1e-5 && abs(right - (i == j ? 1 : 0)) < 1e-5)
            }
            // M v = σ u
            for row in stride(from: 0, to: matrix.rowCount, by: 7) {
                let image = (0..<matrix.columnCount).reduce(0.0) {
                    $0 + Double(matrix[row, $1]) * Double(svd.right[i, $1])
                }
                let expected = Double(svd.values[i]) * Double(svd.left[row, i])
                #expect(abs(image - expected) < 1e-5 * Double(svd.values[0]))
            }
            let largest = svd.right.rows(in: i..<i + 1).elements.max { $0.magnitude < $1.magnitude }
            #expect(largest ?? 0 > 0)
        }
    }

    @Test(arguments: [(5, 9, 5), (9, 5, 3), (1, 1, 1), (40, 30, 8), (600, 530, 4), (530, 700, 6)])
    func decomposesMatrices(rows: Int, columns: Int, count: Int) throws {
        let matrix = Self.random(rows, columns, UInt64(rows))
        let svd = try TruncatedSVD(of: matrix, count: count)
        #expect(svd.values.count == min(count, rows, columns))
        Self.check(svd, matrix, rank: count)
        guard rows * columns < 10_000, count == min(rows, columns) else { return }
        var scaled = svd.left
        for row in 0..<rows { for index in 0..<count { scaled[row, index] *= svd.values[index] } }
        let again = Self.product(scaled, svd.right)
        for index in matrix.elements.indices {
            #expect(abs(again.elements[index] - matrix.elements[index]) < 1e-5)
        }
    }

    @Test(arguments: [(20, 30, 4, 3), (20, 30, 4, 6), (4, 3, 9, 3), (700, 600, 8, 8)])
    func decomposesProductsWithoutFormingThem(rows: Int, columns: Int, inner: Int, count: Int)
        throws
    {
        let (a, b) = (Self.random(rows, inner, 1), Self.random(inner, columns, 2))
        let svd = try TruncatedSVD(ofProduct: a, b, count: count)
        #expect(svd.values.count == min(count, rows, columns))
        Self.check(svd, Self.product(a, b), rank: min(count, inner))
        for index in svd.values.indices where index >= inner { #expect(svd.values[index] == 0) }
    }
}

@Suite struct KrylovSpaceTests {
    /// A flat spectrum, as quantization leaves one: the energy that is found is within two thousandths of the
    /// best, and the same for any number of threads.
    @Test func findsTheEnergyOfAFlatSpectrum() throws {
        var generator = SeededGenerator(seed: 4)
        let (rows, columns, count) = (600, 700, 32)
        let matrix = Matrix(
            rowCount: rows,
            columnCount: columns,
            elements: (0..<rows * columns).map { _ in Float.random(in: -1...1, using: &generator) }
        )
        let exact = try TruncatedSVD(of: matrix, count: count)
        let best = exact.values.reduce(0) { $0 + Double($1) * Double($1) }
        var results: [TruncatedSVD] = []
        for threads in [1, 2, 7] {
            results.append(
                try TruncatedSVD(
                    leadingOf: matrix,
                    count: count,
                    seed: 1,
                    on: WorkerPool.shared(threadCount: threads)
                )
            )
        }
        let found = results[0].values.reduce(0) { $0 + Double($1) * Double($1) }
        #expect(found <= best * (1 + 1e-5) && found >= best * (1 - 2e-3), "\(found / best)")
        #expect(results[0].left == results[1].left && results[0].right == results[2].right)
        // What is reported is what the triplets capture.
        var captured = 0.0
        for index in 0..<count {
            for row in 0..<rows {
                var sum = 0.0
                for column in 0..<columns {
                    sum += Double(matrix[row, column]) * Double(results[0].right[index, column])
                }
                captured += sum * sum
            }
        }
        #expect(abs(captured - found) <= 1e-4 * found)
        // From where it ended it finds the same, or a little more.
        let again = try TruncatedSVD(
            leadingOf: matrix,
            count: count,
            start: results[0].right,
            seed: 2
        )
        let more = again.values.reduce(0) { $0 + Double($1) * Double($1) }
        #expect(more >= found * (1 - 1e-6) && more <= best * (1 + 1e-5))
    }

    /// The space is exhausted before there are as many triplets as wanted: what is there is found, the rest is
    /// zero, and the vectors are orthonormal all the same.
    @Test(arguments: [0, 10, 40])
    func findsAllOfALowRank(rank: Int) throws {
        var generator = SeededGenerator(seed: 9)
        let (rows, columns, count) = (700, 530, 24)
        func random(_ count: Int) -> [Float] {
            (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
        }
        let (left, right) = (random(rows * rank), random(rank * columns))
        var matrix = Matrix(rowCount: rows, columnCount: columns)
        for row in 0..<rows {
            for column in 0..<columns {
                for inner in 0..<rank {
                    let factor = left[row * rank + inner]
                    matrix[row, column] += factor * right[inner * columns + column]
                }
            }
        }
        let svd = try TruncatedSVD(leadingOf: matrix, count: count)
        let exact = try TruncatedSVD(of: matrix, count: count)
        let largest = max(exact.values[0], 1e-3)
        for index in 0..<count {
            #expect(abs(svd.values[index] - exact.values[index]) <= 2e-3 * largest, "\(index)")
            if index < rank { #expect(abs(norm(svd.right, row: index) - 1) < 1e-4) }
        }
        #expect(svd.left.elements.allSatisfy { $0.isFinite })
        #expect(svd.right.elements.allSatisfy { $0.isFinite })
    }

    private func norm(_ matrix: Matrix, row: Int) -> Float {
        matrix.rows(in: row..<row + 1).elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
}
