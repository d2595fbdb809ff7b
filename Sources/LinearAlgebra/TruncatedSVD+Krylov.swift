public import Machine
public import Tensors

extension TruncatedSVD {
    /// Finds the leading triplets of a large matrix on all threads.
    ///
    /// Small matrices, and many of their triplets, go through `init(of:count:)`. Otherwise they are looked for in
    /// the space of `X, Mᵀ M X, (Mᵀ M)² X, …` for a block of vectors `X` (block Krylov: Musco and Musco 2015),
    /// which grows until all further steps together would lower what is left of the matrix, `‖M‖² - Σ σ²`, by no
    /// more than `KrylovSpace.tolerance` of it, by the last two steps. So `‖M - U Σ Vᵀ‖` is about 0.05 % above
    /// the least possible at most. Large products are float32, small ones Double.
    /// - Parameters:
    ///   - matrix: `[N, K]`, finite.
    ///   - count: the triplets.
    ///   - start: rows that are near the wanted `Vᵀ`, such as those of a matrix that differs little: one or two
    ///     steps will do then.
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
        let width = start?.rowCount ?? count + max(8, count / 8)
        guard smaller > 512, 4 * width < smaller else {
            try self.init(of: matrix, count: count)
            return
        }
        let block = start ?? KrylovSpace.random(width, matrix.columnCount, seed: seed)
        var space = try KrylovSpace(matrix, from: block, on: workers)
        let leastStepCount = start == nil ? 4 : 2
        self.init(try space.leading(count, after: leastStepCount), count: count)
    }
}

/// The space of a block of vectors and its products with `Mᵀ M`, as an orthonormal basis.
struct KrylovSpace {
    /// The share of what is left that further steps have to win together for another one to follow.
    static let tolerance = 1e-3
    /// Steps at most.
    private static let stepCount = 16

    private let matrix: Matrix
    private let workers: WorkerPool
    /// Orthonormal rows, `[…, K]`, and their products with `Mᵀ`, `[…, N]`.
    private var basis: Matrix
    private var images: Matrix
    /// The rows that came last.
    private var block: Matrix

    init(
        _ matrix: Matrix,
        from block: Matrix,
        on workers: WorkerPool
    ) throws(LinearAlgebraError) {
        precondition(block.columnCount == matrix.columnCount, "a start of another width")
        self.matrix = matrix
        self.workers = workers
        self.block = try DoubleMatrix(block).transposed().orthogonalized().q.transposed().matrix
        basis = self.block
        images = Matrix(rowCount: 0, columnCount: matrix.rowCount)
        images = product(self.block, matrix, transposes: true)
    }

    /// Uniform numbers, which are as good as normal ones here.
    static func random(_ rowCount: Int, _ columnCount: Int, seed: UInt64) -> Matrix {
        var block = Matrix(rowCount: rowCount, columnCount: columnCount)
        var generator = SplitMix64(seed: seed)
        block.withMutableElements { elements in
            for index in elements.indices {
                elements[index] = Float(generator.next() >> 40) * 0x1p-23 - 1
            }
        }
        return block
    }

    /// Grows the space until the triplets are found.
    mutating func leading(
        _ count: Int,
        after leastStepCount: Int
    ) throws(LinearAlgebraError) -> Triplets {
        let whole = matrix.elements.withFloatSpan { Rows.sumOfSquares($0) }
        let room = min(matrix.rowCount, matrix.columnCount)
        var (energy, gain): (Double?, Double?)
        // The eigenvectors of the space as it is; nil when it has grown since.
        var turn: DoubleMatrix?
        for step in 0..<Self.stepCount {
            if step >= leastStepCount - 2 {
                let (values, vectors) = try ritz()
                turn = vectors
                let found = values.prefix(count).reduce(0, +)
                // Less than a millionth of the whole is rounding.
                let left = max(whole - found, 1e-3 * whole)
                let won = energy.map { max(found - $0, 0) / left }
                if let won, won <= 1e-3 * Self.tolerance { break }
                if let won, let gain, won < gain {
                    // What all further steps would win, each the same share of the one before.
                    let share = won / gain
                    if won * share / (1 - share) <= Self.tolerance { break }
                }
                (energy, gain) = (found, won)
            }
            guard basis.rowCount + block.rowCount <= room else { break }
            try grow()
            turn = nil
        }
        if let turn { return try triplets(count, turn) }
        return try triplets(count, ritz().vectors)
    }

    /// Adds the block's products with `Mᵀ M`.
    private mutating func grow() throws(LinearAlgebraError) {
        let last = images.lastRows(block.rowCount)
        var next = product(last, matrix, transposes: false)
        // Once more for what rounding left, and what the first time was nothing but rounding.
        for _ in 0..<2 {
            let shares = product(next, basis, transposes: true)
            BLAS.addProduct(shares, basis, to: &next, scale: -1, on: workers)
            next = try DoubleMatrix(next).transposed().orthogonalized().q.transposed().matrix
        }
        block = next
        basis.append(next)
        images.append(product(next, matrix, transposes: true))
    }

    /// The eigenvalues of `Mᵀ M` as the space has them, descending and from below, and the eigenvectors in
    /// the basis, as rows.
    private func ritz() throws(LinearAlgebraError) -> (values: [Double], vectors: DoubleMatrix) {
        try DoubleMatrix(product(images, images, transposes: true)).eigenvectors()
    }

    private func triplets(
        _ count: Int,
        _ turn: DoubleMatrix
    ) throws(LinearAlgebraError) -> Triplets {
        let leading = turn.matrix.firstRows(count)
        let svd = try Triplets(of: DoubleMatrix(product(leading, images, transposes: false)))
        // M ≈ (images)ᵀ basis = V_i S U_iᵀ basis.
        let right = product(leading, basis, transposes: false)
        return Triplets(
            left: svd.right.transposed(),
            values: svd.values,
            right: svd.left.transposed().times(DoubleMatrix(right))
        )
    }

    private func product(_ a: Matrix, _ b: Matrix, transposes: Bool) -> Matrix {
        BLAS.product(a, b, transposesB: transposes, on: workers)
    }
}

extension Matrix {
    fileprivate mutating func append(_ other: Matrix) {
        self = Matrix(
            rowCount: rowCount + other.rowCount,
            columnCount: columnCount,
            elements: elements + other.elements
        )
    }

    fileprivate func firstRows(_ count: Int) -> Matrix {
        Matrix(
            rowCount: count,
            columnCount: columnCount,
            elements: Array(elements[..<(count * columnCount)])
        )
    }

    fileprivate func lastRows(_ count: Int) -> Matrix {
        Matrix(
            rowCount: count,
            columnCount: columnCount,
            elements: Array(elements[((rowCount - count) * columnCount)...])
        )
    }
}
