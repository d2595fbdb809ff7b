internal import CLinearAlgebra
public import Machine

/// The sizes of a dense product `C = op(A) · op(B)`: `[rowCount, innerCount] · [innerCount, columnCount]`.
public struct ProductShape: Sendable, Hashable {
    /// The rows of the result.
    public let rowCount: Int
    /// The columns of the result.
    public let columnCount: Int
    /// The terms of each sum.
    public let innerCount: Int
    /// Whether `A` is stored as `[innerCount, rowCount]`.
    public let transposesA: Bool
    /// Whether `B` is stored as `[columnCount, innerCount]`.
    public let transposesB: Bool

    /// Makes the sizes of a product.
    /// - Precondition: no count is negative.
    public init(
        rowCount: Int,
        columnCount: Int,
        innerCount: Int,
        transposesA: Bool = false,
        transposesB: Bool = false
    ) {
        precondition(
            min(rowCount, columnCount, innerCount) >= 0,
            "a product of \(rowCount) x \(columnCount) sums of \(innerCount) terms"
        )
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.innerCount = innerCount
        self.transposesA = transposesA
        self.transposesB = transposesB
    }
}

/// Dense products in float32, by OpenBLAS.
///
/// Each tile of the result is computed by OpenBLAS on one thread, and the tiles depend on the
/// sizes alone: the result has the same bits for any number of threads.
public enum BLAS {
    /// Multiplies: `C = scale · op(A) · op(B)` (+ C).
    /// - Parameters:
    ///   - a: the elements of `A`, row by row.
    ///   - b: the elements of `B`, row by row.
    ///   - c: receives `rowCount · columnCount` numbers, row by row.
    ///   - shape: the sizes.
    ///   - scale: a factor of the product.
    ///   - accumulates: whether the product is added to what `c` holds.
    ///   - workers: the threads.
    /// - Precondition: the counts fit.
    public static func multiply(
        _ a: Span<Float>,
        _ b: Span<Float>,
        into c: inout MutableSpan<Float>,
        shape: ProductShape,
        scale: Float = 1,
        accumulates: Bool = false,
        on workers: WorkerPool = .shared()
    ) {
        let (rows, columns, inner) = (shape.rowCount, shape.columnCount, shape.innerCount)
        precondition(a.count == rows * inner, "\(a.count) elements for [\(rows), \(inner)]")
        precondition(b.count == inner * columns, "\(b.count) elements for [\(inner), \(columns)]")
        precondition(c.count == rows * columns, "\(c.count) elements for [\(rows), \(columns)]")
        guard rows > 0, columns > 0 else { return }
        guard inner > 0 else {
            if !accumulates { for place in c.indices { c[place] = 0 } }
            return
        }
        let tiles = ProductTiles(shape)
        unsafe a.withUnsafeBufferPointer { a in
            unsafe b.withUnsafeBufferPointer { b in
                unsafe c.withUnsafeMutableBufferPointer { c in
                    guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else {
                        return
                    }
                    let product = unsafe TiledProduct(
                        a: a,
                        b: b,
                        c: c,
                        shape: shape,
                        scale: scale,
                        accumulates: accumulates
                    )
                    workers.perform(tiles.count) { index, _ in
                        product.multiply(tiles.rows(index), tiles.columns(index))
                    }
                }
            }
        }
    }
}

/// A result cut into tiles, by its sizes alone.
struct ProductTiles: Sendable {
    private let shape: ProductShape
    private let tileRowCount: Int
    private let tileColumnCount: Int
    private let tilesAcross: Int
    let count: Int

    /// A tile has at least so many multiplications: waking a thread costs as much as some ten
    /// thousand.
    private static let leastWork = 1 << 18

    init(_ shape: ProductShape) {
        self.shape = shape
        let (rows, columns) = (shape.rowCount, shape.columnCount)
        // Rows share the packed columns of `B`, so tiles are as wide as that pays.
        var (height, width) = (min(rows, 128), min(columns, 1024))
        if rows <= 128 { width = min(columns, 256) }
        while height * width * shape.innerCount < Self.leastWork, height < rows || width < columns {
            if width < columns { width *= 2 } else { height *= 2 }
        }
        tileRowCount = max(height, 1)
        tileColumnCount = max(width, 1)
        tilesAcross = (columns + tileColumnCount - 1) / tileColumnCount
        count = tilesAcross * ((rows + tileRowCount - 1) / tileRowCount)
    }

    func rows(_ index: Int) -> Range<Int> {
        let first = index / tilesAcross * tileRowCount
        return first..<min(first + tileRowCount, shape.rowCount)
    }

    func columns(_ index: Int) -> Range<Int> {
        let first = index % tilesAcross * tileColumnCount
        return first..<min(first + tileColumnCount, shape.columnCount)
    }
}

/// A product whose tiles are computed on several threads.
///
/// `@unchecked Sendable`: every tile writes its own part of `C`, and all else is read; it lives no
/// longer than the call that makes it.
@safe
private struct TiledProduct: @unchecked Sendable {
    let a: UnsafePointer<Float>
    let b: UnsafePointer<Float>
    let c: UnsafeMutablePointer<Float>
    let shape: ProductShape
    let scale: Float
    let accumulates: Bool

    /// So many rows are multiplied one at a time.
    private static let vectorCount = 3

    func multiply(_ rows: Range<Int>, _ columns: Range<Int>) {
        let (asStored, transposed) = (Int32(LA_AS_STORED), Int32(LA_TRANSPOSED))
        let inner = shape.innerCount
        let aStride = shape.transposesA ? shape.rowCount : inner
        let bStride = shape.transposesB ? inner : shape.columnCount
        let a = unsafe a + rows.lowerBound * (shape.transposesA ? 1 : inner)
        let b = unsafe b + columns.lowerBound * (shape.transposesB ? inner : 1)
        let c = unsafe c + rows.lowerBound * shape.columnCount + columns.lowerBound
        // Products with vectors read `B` once each and pack nothing, which pays for a few.
        guard rows.count > Self.vectorCount else {
            for row in rows.indices {
                let place = row - rows.lowerBound
                unsafe la_sgemv(
                    shape.transposesB ? asStored : transposed,
                    Int32(shape.transposesB ? columns.count : inner),
                    Int32(shape.transposesB ? inner : columns.count),
                    scale,
                    b,
                    Int32(bStride),
                    a + place * (shape.transposesA ? 1 : inner),
                    Int32(shape.transposesA ? aStride : 1),
                    accumulates ? 1 : 0,
                    c + place * shape.columnCount,
                    1
                )
            }
            return
        }
        unsafe la_sgemm(
            shape.transposesA ? transposed : asStored,
            shape.transposesB ? transposed : asStored,
            Int32(rows.count),
            Int32(columns.count),
            Int32(inner),
            scale,
            a,
            Int32(aStride),
            b,
            Int32(bStride),
            accumulates ? 1 : 0,
            c,
            Int32(shape.columnCount)
        )
    }
}
