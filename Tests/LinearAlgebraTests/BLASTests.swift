import LinearAlgebra
import Machine
import TestSupport
import Testing

@Suite struct BLASTests {
    static let shapes: [(Int, Int, Int)] = [
        (0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (1, 7, 5), (5, 1, 9), (2, 3, 4), (17, 33, 9),
        (1, 515, 700), (130, 70, 65), (300, 1030, 40), (16, 900, 512),
    ]

    /// `C = scale · op(A) · op(B)` in Double.
    private static func expected(_ a: [Float], _ b: [Float], _ shape: ProductShape, _ scale: Float)
        -> [Double]
    {
        var result: [Double] = []
        for row in 0..<shape.rowCount {
            for column in 0..<shape.columnCount {
                var sum = 0.0
                for term in 0..<shape.innerCount {
                    let left =
                        shape.transposesA
                        ? a[term * shape.rowCount + row] : a[row * shape.innerCount + term]
                    let right =
                        shape.transposesB
                        ? b[column * shape.innerCount + term] : b[term * shape.columnCount + column]
                    sum += Double(left) * Double(right)
                }
                result.append(Double(scale) * sum)
            }
        }
        return result
    }

    @Test(arguments: shapes, [(false, false), (false, true), (true, false), (true, true)])
    func multipliesWithinRoundingWithTheSameBitsForAnyThreadCount(
        size: (Int, Int, Int),
        transposes: (Bool, Bool)
    ) {
        let shape = ProductShape(
            rowCount: size.0,
            columnCount: size.1,
            innerCount: size.2,
            transposesA: transposes.0,
            transposesB: transposes.1
        )
        var generator = SeededGenerator(seed: 7)
        let a = (0..<size.0 * size.2).map { _ in Float.random(in: -1...1, using: &generator) }
        let b = (0..<size.1 * size.2).map { _ in Float.random(in: -1...1, using: &generator) }
        let before = (0..<size.0 * size.1).map { _ in Float.random(in: -1...1, using: &generator) }
        let sums = Self.expected(a, b, shape, 0.5)
        for accumulates in [false, true] {
            let results = [1, 2, 7].map { threadCount in
                var c = before
                a.withFloatSpan { a in
                    b.withFloatSpan { b in
                        c.withMutableFloatSpan { c in
                            BLAS.multiply(
                                a,
                                b,
                                into: &c,
                                shape: shape,
                                scale: 0.5,
                                accumulates: accumulates,
                                on: WorkerPool.shared(threadCount: threadCount)
                            )
                        }
                    }
                }
                return c
            }
            #expect(results[0] == results[1] && results[0] == results[2])
            // Operands are at most 1: each sum of K terms is within K roundings of K, halved.
            let bound = Double(size.2 * (size.2 + 2)) * 0x1p-24 + 0x1p-23
            for (index, sum) in sums.enumerated() {
                let expected = sum + (accumulates ? Double(before[index]) : 0)
                #expect(abs(Double(results[0][index]) - expected) <= bound)
            }
        }
    }
}
