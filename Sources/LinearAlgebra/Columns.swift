public import Machine

/// Work on the columns of matrices in float32, row by row in memory: what bias, magnitude and their
/// gradients need.
///
/// All results have the same bits for any number of threads.
public enum Columns {
    private static let rowsOfTile = 16
    private static let columnsOfTile = 64

    /// Multiplies every column by a factor and then adds a term: `y[i, j] = y[i, j] · factor[j] + term[j]`.
    /// - Parameters:
    ///   - y: rows of as many numbers as there are factors, or terms.
    ///   - factors: one for each column; nil multiplies by nothing.
    ///   - terms: one for each column; nil adds nothing.
    ///   - workers: the threads.
    public static func scale(
        _ y: inout MutableSpan<Float>,
        by factors: [Float]?,
        adding terms: [Float]?,
        on workers: WorkerPool
    ) {
        guard let count = factors?.count ?? terms?.count, count > 0 else { return }
        precondition(y.count % count == 0, "\(y.count) elements in rows of \(count)")
        precondition(terms.map { $0.count == count } ?? true, "terms of another count")
        workers.perform(writing: &y, every: rowsOfTile * count) { _, _, tile in
            unsafe tile.withUnsafeMutableBufferPointer { tile in
                for start in stride(from: 0, to: tile.count, by: count) {
                    let row = unsafe UnsafeMutableBufferPointer(
                        rebasing: tile[start..<start + count]
                    )
                    if let factors { unsafe multiply(row, factors) }
                    if let terms { unsafe add(terms, row) }
                }
            }
        }
    }

    private static func multiply(_ row: UnsafeMutableBufferPointer<Float>, _ factors: [Float]) {
        unsafe factors.withUnsafeBufferPointer { factors in
            for column in row.indices { unsafe row[column] *= factors[column] }
        }
    }

    private static func add(_ terms: [Float], _ row: UnsafeMutableBufferPointer<Float>) {
        unsafe terms.withUnsafeBufferPointer { terms in
            for column in row.indices { unsafe row[column] += terms[column] }
        }
    }

    /// Adds another matrix, its columns multiplied by factors: `y[i, j] += x[i, j] · factor[j]`.
    /// - Parameters:
    ///   - x: what is added.
    ///   - factors: one for each column.
    ///   - y: receives the sum.
    ///   - workers: the threads.
    public static func add(
        _ x: Span<Float>,
        times factors: [Float],
        to y: inout MutableSpan<Float>,
        on workers: WorkerPool
    ) {
        precondition(x.count == y.count, "\(x.count) elements added to \(y.count)")
        guard !factors.isEmpty else { return }
        let tileCount = rowsOfTile * factors.count
        unsafe x.withUnsafeBufferPointer { x in
            let x = unsafe ReadOnly(x)
            workers.perform(writing: &y, every: tileCount) { index, _, tile in
                unsafe tile.withUnsafeMutableBufferPointer { tile in
                    unsafe factors.withUnsafeBufferPointer { factors in
                        for start in stride(from: 0, to: tile.count, by: factors.count) {
                            let place = index * tileCount + start
                            for column in factors.indices {
                                unsafe tile[start + column] +=
                                    x.elements[place + column] * factors[column]
                            }
                        }
                    }
                }
            }
        }
    }

    /// Returns the sum of each column, rows ascending.
    /// - Parameters:
    ///   - x: rows of `count` numbers.
    ///   - count: the columns.
    ///   - workers: the threads.
    /// - Returns: `count` sums.
    public static func sums(_ x: Span<Float>, count: Int, on workers: WorkerPool) -> [Float] {
        unsafe reduce(x, x, count, on: workers) { unsafe $0[$2] }
    }

    /// Returns the sum of products of each column of two matrices, rows ascending.
    /// - Parameters:
    ///   - x: rows of `count` numbers.
    ///   - y: as many numbers.
    ///   - count: the columns.
    ///   - workers: the threads.
    /// - Returns: `count` sums.
    public static func dotProducts(
        _ x: Span<Float>,
        _ y: Span<Float>,
        count: Int,
        on workers: WorkerPool
    ) -> [Float] {
        unsafe reduce(x, y, count, on: workers) { unsafe $0[$2] * $1[$2] }
    }

    private static func reduce(
        _ x: Span<Float>,
        _ y: Span<Float>,
        _ count: Int,
        on workers: WorkerPool,
        _ term: @Sendable (UnsafePointer<Float>, UnsafePointer<Float>, Int) -> Float
    ) -> [Float] {
        precondition(x.count == y.count, "\(x.count) and \(y.count) elements")
        var result = [Float](repeating: 0, count: count)
        guard count > 0, x.count > 0 else { return result }
        precondition(x.count % count == 0, "\(x.count) elements in rows of \(count)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeBufferPointer { y in
                let (x, y) = unsafe (ReadOnly(x), ReadOnly(y))
                let elementCount = unsafe x.elements.count
                result.withMutableFloatSpan { result in
                    workers.perform(writing: &result, every: columnsOfTile) { index, _, tile in
                        let first = index * columnsOfTile
                        for start in stride(from: first, to: elementCount, by: count) {
                            guard let x = unsafe x.elements.baseAddress,
                                let y = unsafe y.elements.baseAddress
                            else { return }
                            for column in tile.indices {
                                unsafe tile[column] += term(x + start, y + start, column)
                            }
                        }
                    }
                }
            }
        }
        return result
    }
}

/// Numbers that several threads read.
///
/// `@unchecked Sendable`: nobody writes them while a value of this type lives, which is for one call.
@safe
private struct ReadOnly: @unchecked Sendable {
    let elements: UnsafeBufferPointer<Float>

    init(_ elements: UnsafeBufferPointer<Float>) { unsafe self.elements = elements }
}
