public import Machine
public import Tensors

extension TruncatedSVD {
    /// Finds the leading triplets of a large matrix on all threads.
    ///
    /// Small matrices, and many of their triplets, go through `init(of:count:)`. Otherwise a block of vectors
    /// is filtered by Chebyshev polynomials of `Mᵀ M` that grow where its leading eigenvalues are and stay
    /// small below (Zhou and Saad 2007), until a round lowers what is left of the matrix, `‖M‖² - Σ σ²`, by
    /// less than `FilteredSubspace.tolerance` of it. Products are float32, everything on the block Double.
    /// - Parameters:
    ///   - matrix: `[N, K]`, finite.
    ///   - count: the triplets.
    ///   - start: rows that are near the wanted `Vᵀ`, such as those of a matrix that differs little.
    ///   - seed: for the vectors to begin with.
    ///   - workers: the threads; the result has the same bits for any number of them.
    /// - Throws: `LinearAlgebraError` if LAPACK does not converge.
    public init(
        leadingOf matrix: Matrix,
        count: Int,
        start: Matrix? = nil,
        seed: UInt64 = 0,
        on workers: WorkerPool = .shared()
    ) throws(LinearAlgebraError) {
        let smaller = min(matrix.rowCount, matrix.columnCount)
        let width = count + max(8, count / 4)
        guard smaller > 512, 4 * width < smaller else {
            try self.init(of: matrix, count: count)
            return
        }
        var subspace = FilteredSubspace(matrix, width: width, start: start, seed: seed, workers)
        self.init(try subspace.leading(count), count: count)
    }
}

/// A block of vectors that turns towards the leading right singular vectors of a matrix.
struct FilteredSubspace {
    private let matrix: Matrix
    private let workers: WorkerPool
    /// The vectors, `[width, K]`: rows, so that each is contiguous.
    private var block: Matrix

    /// The degree of the polynomials, at most: lower where they would grow beyond float32.
    private static let degree = 8
    private static let largestGrowth = 1e4
    /// Rounds at most, each with one polynomial.
    private static let roundCount = 8
    /// The share of what is left that a round has to win for another one to follow.
    static let tolerance = 2e-4

    init(_ matrix: Matrix, width: Int, start: Matrix?, seed: UInt64, _ workers: WorkerPool) {
        self.matrix = matrix
        self.workers = workers
        block = Matrix(rowCount: width, columnCount: matrix.columnCount)
        var state = seed
        block.withMutableElements { elements in
            for index in elements.indices {
                // SplitMix64 (Steele, Lea and Flood 2014); the sum of two uniform numbers will do.
                state &+= 0x9E37_79B9_7F4A_7C15
                var word = state
                word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
                word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
                word ^= word >> 31
                let (low, high) = (UInt32(truncatingIfNeeded: word), UInt32(word >> 32))
                elements[index] = Float(low >> 8) * 0x1p-24 + Float(high >> 8) * 0x1p-24 - 1
            }
        }
        guard let start else { return }
        precondition(start.columnCount == matrix.columnCount, "a start of another width")
        for row in 0..<min(start.rowCount, width) {
            for column in 0..<start.columnCount { block[row, column] = start[row, column] }
        }
    }

    /// Turns the block until the energy is found, and returns the triplets.
    mutating func leading(_ count: Int) throws(LinearAlgebraError) -> Triplets {
        let whole = matrix.elements.withFloatSpan { Rows.sumOfSquares($0) }
        var energy = 0.0
        var ritz = try rotate()
        for round in 0..<Self.roundCount {
            let found = ritz.prefix(count).reduce(0, +)
            if round > 0, found - energy <= Self.tolerance * max(whole - found, 0) { break }
            energy = found
            filter(below: ritz[ritz.count - 1], above: ritz[0])
            ritz = try rotate()
        }
        return try triplets(count)
    }

    /// `X Mᵀ M`, `[width, K]`.
    private func applied(_ x: Matrix) -> Matrix {
        let image = product(x, matrix, transposes: true)
        return product(image, matrix, transposes: false)
    }

    private func product(_ a: Matrix, _ b: Matrix, transposes: Bool) -> Matrix {
        let columns = transposes ? b.rowCount : b.columnCount
        var result = Matrix(rowCount: a.rowCount, columnCount: columns)
        a.elements.withFloatSpan { a1 in
            b.elements.withFloatSpan { b1 in
                result.withMutableElements {
                    BLAS.multiply(
                        a1,
                        b1,
                        into: &$0,
                        shape: ProductShape(
                            rowCount: a.rowCount,
                            columnCount: columns,
                            innerCount: a.columnCount,
                            transposesB: transposes
                        ),
                        on: workers
                    )
                }
            }
        }
        return result
    }

    /// Makes the block orthonormal and turns it to its Ritz vectors, the leading first.
    /// - Returns: the Ritz values, descending: eigenvalues of `Mᵀ M` from below.
    private mutating func rotate() throws(LinearAlgebraError) -> [Double] {
        let q = try DoubleMatrix(block).transposed().orthogonalized().q.transposed()
        block = q.matrix
        let image = DoubleMatrix(product(block, matrix, transposes: true))
        // The eigenvalues of the images' products are those of Mᵀ M on the subspace.
        let (values, vectors) = try image.times(image.transposed()).eigenvectors()
        block = vectors.times(q).matrix
        return values
    }

    /// Applies the scaled Chebyshev polynomial that is small on `0 ... low` and grows towards `high`.
    private mutating func filter(below low: Double, above high: Double) {
        let (center, half) = (low / 2, low / 2)
        guard half > 0, high > low else { return }
        // T(x) at the largest eigenvalue, by the recurrence T' = 2 x T - T''.
        let x = (high - center) / half
        var (degree, growth, before) = (1, x, 1.0)
        while degree < Self.degree, 2 * x * growth - before <= Self.largestGrowth {
            (growth, before) = (2 * x * growth - before, growth)
            degree += 1
        }
        let first = 1 / x
        var sigma = first
        var previous = block
        var current = combined(
            applied(block),
            block,
            Float(first / half),
            Float(-center * first / half)
        )
        for _ in 1..<max(degree, 1) {
            let next = 1 / (2 / first - sigma)
            let scale = 2 * next / half
            var turned = combined(applied(current), current, Float(scale), Float(-center * scale))
            turned = combined(turned, previous, 1, Float(-sigma * next))
            previous = current
            current = turned
            sigma = next
        }
        block = current
    }

    /// `a x + b y`.
    private func combined(_ x: Matrix, _ y: Matrix, _ a: Float, _ b: Float) -> Matrix {
        var result = x
        result.withMutableElements { elements in
            y.elements.withFloatSpan { Rows.combine(&elements, a, $0, b) }
        }
        return result
    }

    private func triplets(_ count: Int) throws(LinearAlgebraError) -> Triplets {
        let image = DoubleMatrix(product(block, matrix, transposes: true))
        let svd = try Triplets(of: image)
        // M ≈ (image)ᵀ block = V_i S U_iᵀ block.
        let right = svd.left.transposed().times(DoubleMatrix(block))
        return Triplets(left: svd.right.transposed(), values: svd.values, right: right)
    }
}
