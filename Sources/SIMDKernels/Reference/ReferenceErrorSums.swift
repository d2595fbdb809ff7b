/// The sums of errors in plain Swift: the yardstick of the kernels.
package enum ReferenceErrorSums {
    /// Returns the sums over pairs of originals and decoded elements.
    ///
    /// Each sum is made of eight partial ones, number `i % 8` taking element `i`, which are joined as
    /// `((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7))`.
    package static func sums(original: [Float], decoded: [Float]) -> ErrorSums {
        var result = ErrorSums()
        var squares = [Double](repeating: 0, count: 8)
        var errorSquares = squares
        var errors = squares
        for (index, (x, y)) in zip(original, decoded).enumerated() {
            if x != 0, y == 0 { result.lostCount += 1 }
            if x != 0, y != 0, x.sign != y.sign { result.signFlipCount += 1 }
            guard x.isFinite, y.isFinite else {
                result.nonFiniteCount += 1
                continue
            }
            let error = (Double(x) - Double(y)).magnitude
            squares[index % 8] += Double(x) * Double(x)
            errorSquares[index % 8] += error * error
            errors[index % 8] += error
            result.maximum = max(result.maximum, Double(x.magnitude))
            if result.count == 0 || error > result.errorMaximum {
                result.errorMaximum = error
                result.errorIndex = index
            }
            result.count += 1
        }
        result.squareSum = joined(squares)
        result.errorSquareSum = joined(errorSquares)
        result.errorSum = joined(errors)
        return result
    }

    private static func joined(_ partial: [Double]) -> Double {
        let fours = (0..<4).map { partial[$0] + partial[$0 + 4] }
        return (fours[0] + fours[2]) + (fours[1] + fours[3])
    }
}
