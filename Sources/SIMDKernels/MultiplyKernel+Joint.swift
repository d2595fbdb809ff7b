internal import CSIMDKernels
package import Machine

/// A weight among several that are multiplied with the same activations.
package struct ProductTerm: Sendable {
    /// `W`.
    package let weight: PackedWeight
    /// Added to every row; `N` numbers, or none.
    package let bias: [Float]?
    /// As in `ProductOptions`.
    package let outlierThreshold: Float?
    /// Changes of the weight, no two of them for the same rows, in the order of their rows.
    package let changes: [RowChange]

    package init(
        _ weight: PackedWeight,
        bias: [Float]?,
        outlierThreshold: Float? = nil,
        changes: [RowChange]
    ) {
        precondition(
            bias.map { $0.count == weight.panels.rowCount } ?? true
                && changes.allSatisfy { $0.change.hasShape(of: weight.panels) },
            "a bias or a change for another weight than \(weight.panels)"
        )
        precondition(
            zip(changes, changes.dropFirst()).allSatisfy {
                $0.rows.upperBound <= $1.rows.lowerBound
            },
            "changes of the same rows"
        )
        self.weight = weight
        self.bias = bias
        self.outlierThreshold = outlierThreshold
        self.changes = changes
    }

    /// The numbers of products with `A`.
    fileprivate var innerCount: Int { changes.reduce(0) { $0 + $1.rows.count * $1.change.rank } }

    /// Whether both weights read activations that are packed the same way.
    package func sharesRows(with other: Self, in mode: ComputeMode) -> Bool {
        let (own, others) = (weight.panels, other.weight.panels)
        return own.width == others.width && own.columnCount == others.columnCount
            && (mode != .int8
                || own.group == others.group && outlierThreshold == other.outlierThreshold)
    }
}

extension MultiplyKernel {
    /// Multiplies the same activations with several weights and their changes,
    /// `y = x · Wᵀ` (+ bias) `+ x · Aᵀ · B` (+ y), in one job.
    ///
    /// Each product has the bits that it has alone.
    /// - Parameters:
    ///   - x: `rowCount` rows of `K` numbers, row by row.
    ///   - rowCount: `M`.
    ///   - terms: weights that share rows; see `sharesRows`.
    ///   - y: receives the products, one behind the other: `M` rows of the first `N`, and so on.
    ///   - accumulates: whether they are added to what `y` holds.
    ///   - inner: for the products with `A`; it grows to them.
    ///   - scratch: for the packed activations.
    ///   - workers: the threads.
    /// - Throws: `AllocationError` if the scratch buffer cannot grow.
    package func multiply(
        _ x: Span<Float>,
        rowCount: Int,
        with terms: [ProductTerm],
        into y: inout MutableSpan<Float>,
        accumulates: Bool = false,
        inner: inout [Float],
        scratch: inout AlignedBuffer,
        on workers: WorkerPool
    ) throws(AllocationError) {
        guard let first = terms.first else { return }
        precondition(
            terms.allSatisfy { first.sharesRows(with: $0, in: mode) }
                && y.count == rowCount * terms.reduce(0) { $0 + $1.weight.panels.rowCount },
            "\(y.count) outputs of products that do not go together"
        )
        let innerCount = terms.reduce(0) { $0 + $1.innerCount }
        if inner.count < innerCount { inner = [Float](repeating: 0, count: innerCount) }
        let (panels, threshold) = (first.weight.panels, first.outlierThreshold)
        try unsafe withRows(x, rowCount, of: panels, threshold, &scratch, workers) { packed in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe inner.withUnsafeMutableBufferPointer { inner in
                    unsafe y.withUnsafeMutableBufferPointer { y in
                        var jobs = unsafe JointJobs(
                            terms.count,
                            x.baseAddress,
                            y.baseAddress,
                            inner.baseAddress
                        )
                        for term in terms {
                            let product = unsafe PackedProduct(
                                function: entry.function,
                                weight: term.weight.arguments,
                                x: packed,
                                y: jobs.y,
                                bias: term.bias,
                                accumulates: accumulates
                            )
                            unsafe jobs.add(term, product, workers)
                        }
                        unsafe jobs.run(on: workers)
                    }
                }
            }
        }
    }
}

/// Products that are computed together; lives no longer than the call that makes it.
@unsafe
private struct JointJobs {
    /// A product with a weight, and its changes.
    struct Product: CutProduct {
        let product: PackedProduct
        let cuts: ProductCuts
        /// Those of its changes.
        let projectionsUp: Range<Int>

        /// Computes a piece; the projections up follow while its outputs are in the nearest cache.
        func perform(
            _ index: Int,
            _ projections: UnsafeBufferPointer<ProjectionUp>,
            _ wait: () -> Void
        ) {
            let piece = cuts[index]
            product.multiply(piece)
            guard !projectionsUp.isEmpty else { return }
            wait()
            let (outputs, rows) = (product.outputs(of: piece), product.rows(of: piece))
            for index in projectionsUp { unsafe projections[index].add(outputs, rows) }
        }
    }

    /// `inner = x · Aᵀ` of a change.
    struct ProjectionDown: CutProduct {
        let product: DenseProduct
        let cuts: ProductCuts
    }

    /// `y += inner · B` of a change.
    struct ProjectionUp {
        let product: DenseProduct
        /// Those that see the change, counted over all of `y`.
        let changed: Range<Int>

        func add(_ outputs: Range<Int>, _ rows: Range<Int>) {
            let own = rows.clamped(to: changed)
            guard !own.isEmpty else { return }
            let start = changed.lowerBound
            product.multiply(outputs, own.lowerBound - start..<own.upperBound - start)
        }
    }

    private let x: UnsafePointer<Float>?
    /// Where the outputs of the next product begin, and its products with `A`.
    private(set) var y: UnsafeMutablePointer<Float>?
    private var inner: UnsafeMutablePointer<Float>?
    private var products: [Product] = []
    private var projectionsDown: [ProjectionDown] = []
    private var projectionsUp: [ProjectionUp] = []

    init(
        _ productCount: Int,
        _ x: UnsafePointer<Float>?,
        _ y: UnsafeMutablePointer<Float>?,
        _ inner: UnsafeMutablePointer<Float>?
    ) {
        unsafe self.x = x
        unsafe self.y = y
        unsafe self.inner = inner
        unsafe products.reserveCapacity(productCount)
    }

    mutating func add(_ term: ProductTerm, _ product: PackedProduct, _ workers: WorkerPool) {
        let rowCount = product.rows.rowCount
        let first = unsafe projectionsUp.count
        if !term.changes.isEmpty, unsafe projectionsUp.isEmpty {
            // Most often every product has as many.
            let count = unsafe products.capacity * term.changes.count
            unsafe projectionsDown.reserveCapacity(count)
            unsafe projectionsUp.reserveCapacity(count)
        }
        for change in term.changes {
            precondition(change.rows.upperBound <= rowCount, "changes of \(change.rows)")
            let (down, up) = unsafe change.projections(x, y, inner)
            unsafe projectionsDown.append(
                ProjectionDown(product: down, cuts: down.cuts(for: workers))
            )
            unsafe projectionsUp.append(ProjectionUp(product: up, changed: change.rows))
            unsafe inner = inner?.advanced(by: change.rows.count * change.change.rank)
        }
        unsafe products.append(
            Product(
                product: product,
                cuts: product.cuts(for: workers),
                projectionsUp: first..<projectionsUp.count
            )
        )
        unsafe y = y?.advanced(by: rowCount * product.weight.n)
    }

    /// Computes everything.
    ///
    /// What is small and waited for comes first: it is done when the first product is.
    func run(on workers: WorkerPool) {
        // Elements are used in place: references that threads count together would be taken from one
        // another's cache.
        unsafe products.withUnsafeBufferPointer { products in
            unsafe projectionsDown.withUnsafeBufferPointer { downs in
                unsafe projectionsUp.withUnsafeBufferPointer { ups in
                    nonisolated(unsafe) let (products, downs, ups) = unsafe (products, downs, ups)
                    workers.perform(
                        unsafe downs.pieceCount,
                        { index in
                            let (job, piece) = unsafe downs.place(of: index)
                            unsafe downs[job].product.multiply(downs[job].cuts[piece])
                        },
                        then: unsafe products.pieceCount,
                        { index, wait in
                            let (job, piece) = unsafe products.place(of: index)
                            unsafe products[job].perform(piece, ups, wait)
                        }
                    )
                }
            }
        }
    }
}

/// A product that is cut into pieces.
private protocol CutProduct {
    var cuts: ProductCuts { get }
}

extension UnsafeBufferPointer where Element: CutProduct {
    /// The pieces of all products.
    fileprivate var pieceCount: Int {
        var count = 0
        for job in indices { unsafe count += self[job].cuts.count }
        return count
    }

    /// The product that a piece belongs to, counted over all of them, and its number there.
    fileprivate func place(of index: Int) -> (job: Int, piece: Int) {
        var (job, piece) = (0, index)
        while unsafe piece >= self[job].cuts.count {
            unsafe piece -= self[job].cuts.count
            job += 1
        }
        return (job, piece)
    }
}
