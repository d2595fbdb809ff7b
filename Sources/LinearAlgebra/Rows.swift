/// Work on whole rows of matrices in float32, on the calling thread.
public enum Rows {
    /// Adds a matrix, and then multiplies each row by its factor: `y[i, j] = (y[i, j] + x[i, j]) · factor[i]`.
    /// - Parameters:
    ///   - x: as many elements as `y`.
    ///   - y: rows of `columnCount` numbers.
    ///   - columnCount: the columns.
    ///   - factors: one for each row; nil multiplies by nothing.
    public static func add(
        _ x: Span<Float>,
        to y: inout MutableSpan<Float>,
        columnCount: Int,
        thenScalingBy factors: [Float]? = nil
    ) {
        precondition(x.count == y.count, "\(x.count) elements added to \(y.count)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                for index in y.indices { unsafe y[index] += x[index] }
                guard let factors, columnCount > 0 else { return }
                precondition(y.count == factors.count * columnCount, "\(factors.count) factors")
                for (row, factor) in factors.enumerated() {
                    for index in row * columnCount..<(row + 1) * columnCount {
                        unsafe y[index] *= factor
                    }
                }
            }
        }
    }

    /// Subtracts numbers.
    /// - Precondition: as many there as here.
    public static func subtract(_ x: Span<Float>, from y: inout MutableSpan<Float>) {
        precondition(x.count == y.count, "\(x.count) elements subtracted from \(y.count)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                for index in y.indices { unsafe y[index] -= x[index] }
            }
        }
    }

    /// Computes `y = a y + b x`.
    /// - Precondition: as many there as here.
    static func combine(_ y: inout MutableSpan<Float>, _ a: Float, _ x: Span<Float>, _ b: Float) {
        precondition(x.count == y.count, "\(x.count) elements with \(y.count)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                for index in y.indices { unsafe y[index] = a * y[index] + b * x[index] }
            }
        }
    }

    /// Returns `Σ x²`, in Double and a fixed order.
    public static func sumOfSquares(_ x: Span<Float>) -> Double {
        unsafe x.withUnsafeBufferPointer { x in
            var sums = SIMD8<Double>(repeating: 0)
            var index = 0
            while index + 8 <= x.count {
                var elements = SIMD8<Float>()
                for lane in 0..<8 { unsafe elements[lane] = x[index + lane] }
                let wide = SIMD8<Double>(elements)
                sums += wide * wide
                index += 8
            }
            var sum = sums.sum()
            while index < x.count {
                let element = unsafe Double(x[index])
                sum += element * element
                index += 1
            }
            return sum
        }
    }

    /// Returns `‖x + y‖` of each row, summed in Double.
    /// - Parameters:
    ///   - x: rows of `columnCount` numbers.
    ///   - y: as many numbers; sums of both are rounded to float32.
    ///   - columnCount: the columns, at least 1.
    /// - Returns: the norms.
    public static func norms(
        ofSumOf x: Span<Float>,
        _ y: Span<Float>,
        columnCount: Int
    ) -> [Float] {
        precondition(x.count == y.count && columnCount > 0, "\(x.count) and \(y.count) elements")
        return unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeBufferPointer { y in
                stride(from: 0, to: x.count, by: columnCount).map { start in
                    // Several sums in a fixed order, which a processor can add at once.
                    var sums = SIMD8<Double>(repeating: 0)
                    var index = start
                    let end = start + columnCount
                    while index + 8 <= end {
                        var elements = SIMD8<Float>()
                        for lane in 0..<8 {
                            unsafe elements[lane] = x[index + lane] + y[index + lane]
                        }
                        let wide = SIMD8<Double>(elements)
                        sums += wide * wide
                        index += 8
                    }
                    var sum = sums.sum()
                    while index < end {
                        let element = unsafe Double(x[index] + y[index])
                        sum += element * element
                        index += 1
                    }
                    return Float(sum.squareRoot())
                }
            }
        }
    }

    /// Sets all numbers to one.
    public static func fill(_ y: inout MutableSpan<Float>, with value: Float) {
        unsafe y.withUnsafeMutableBufferPointer { unsafe $0.update(repeating: value) }
    }

    /// Copies numbers.
    /// - Precondition: as many there as here.
    public static func copy(_ x: Span<Float>, into y: inout MutableSpan<Float>) {
        precondition(x.count == y.count, "\(x.count) numbers into \(y.count)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                for index in y.indices { unsafe y[index] = x[index] }
            }
        }
    }

    /// Copies some rows of a matrix, one after the other.
    /// - Parameters:
    ///   - rows: their places.
    ///   - matrix: rows of `columnCount` numbers.
    ///   - columnCount: the columns.
    ///   - result: receives them.
    public static func gather(
        _ rows: [Int],
        of matrix: Span<Float>,
        columnCount: Int,
        into result: inout MutableSpan<Float>
    ) {
        precondition(result.count == rows.count * columnCount, "\(result.count) numbers")
        unsafe matrix.withUnsafeBufferPointer { source in
            unsafe result.withUnsafeMutableBufferPointer { target in
                for (place, row) in rows.enumerated() {
                    precondition((row + 1) * columnCount <= source.count, "row \(row)")
                    for column in 0..<columnCount {
                        unsafe target[place * columnCount + column] =
                            source[row * columnCount + column]
                    }
                }
            }
        }
    }

    /// Copies rows, one after the other, to their places in a matrix.
    /// - Parameters:
    ///   - source: as many rows as there are places.
    ///   - rows: the places.
    ///   - columnCount: the columns.
    ///   - matrix: rows of `columnCount` numbers.
    public static func scatter(
        _ source: Span<Float>,
        to rows: [Int],
        columnCount: Int,
        of matrix: inout MutableSpan<Float>
    ) {
        precondition(source.count == rows.count * columnCount, "\(source.count) numbers")
        unsafe source.withUnsafeBufferPointer { source in
            unsafe matrix.withUnsafeMutableBufferPointer { target in
                for (place, row) in rows.enumerated() {
                    precondition((row + 1) * columnCount <= target.count, "row \(row)")
                    for column in 0..<columnCount {
                        unsafe target[row * columnCount + column] =
                            source[place * columnCount + column]
                    }
                }
            }
        }
    }
}
