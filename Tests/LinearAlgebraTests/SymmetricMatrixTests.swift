import LinearAlgebra
import TestSupport
import Tensors
import Testing

@Suite struct SymmetricMatrixTests {
    /// `X Xᵀ` of a random `X`, `[size, inner]`: positive, and of rank `inner` at most.
    private static func gram(_ size: Int, _ inner: Int) -> Matrix {
        var generator = SeededGenerator(seed: UInt64(size))
        let x = (0..<size * inner).map { _ in Float.random(in: -1...1, using: &generator) }
        var result = Matrix(rowCount: size, columnCount: size)
        for row in 0..<size {
            for column in 0..<size {
                for index in 0..<inner {
                    result[row, column] += x[row * inner + index] * x[column * inner + index]
                }
            }
        }
        return result
    }

    private static func product(_ a: Matrix, _ b: Matrix) -> Matrix {
        var result = Matrix(rowCount: a.rowCount, columnCount: b.columnCount)
        for row in 0..<a.rowCount {
            for column in 0..<b.columnCount {
                for index in 0..<a.columnCount {
                    result[row, column] += a[row, index] * b[index, column]
                }
            }
        }
        return result
    }

    private static func expectEqual(
        _ own: Matrix,
        _ expected: Matrix,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let largest = expected.elements.reduce(1e-6) { max($0, $1.magnitude) }
        let pairs = zip(own.elements, expected.elements)
        let off = pairs.reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
        #expect(off <= 2e-5 * largest, "\(off) of \(largest)", sourceLocation: sourceLocation)
    }

    @Test(arguments: [0, 1, 2, 17, 40])
    func factorsGiveTheMatrixBack(size: Int) throws {
        let matrix = Self.gram(size, size + 8)
        let symmetric = SymmetricMatrix(matrix)
        let lower = try symmetric.choleskyFactor()
        Self.expectEqual(Self.product(lower, lower.transposed()), matrix)
        for row in 0..<size {
            for column in row + 1..<max(size, row + 1) { #expect(lower[row, column] == 0) }
        }
        let root = try symmetric.squareRoot()
        Self.expectEqual(Self.product(root, root), matrix)
        Self.expectEqual(root.transposed(), root)
    }

    /// `M M⁺ M = M`, also where `M` has no inverse; Cholesky then says so.
    @Test func pseudoInverseOfASingularMatrix() throws {
        let matrix = Self.gram(20, 6)
        let inverse = try SymmetricMatrix(matrix).pseudoInverse(tolerance: 1e-5)
        Self.expectEqual(Self.product(Self.product(matrix, inverse), matrix), matrix)
        Self.expectEqual(Self.product(Self.product(inverse, matrix), inverse), inverse)
        var negative = Matrix(rowCount: 2, columnCount: 2)
        (negative[0, 0], negative[1, 1]) = (1, -1)
        let error = #expect(throws: LinearAlgebraError.self) {
            try SymmetricMatrix(negative).choleskyFactor()
        }
        #expect(error?.routine == "dpotrf" && error?.info == 2)
    }
}
