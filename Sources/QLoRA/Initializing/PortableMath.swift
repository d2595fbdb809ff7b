/// Logarithm and cosine of additions and multiplications alone: the same bits on every processor, which
/// those of C libraries are not.
enum PortableMath {
    /// Returns `ln x` for a normal `x > 0`, to within a few units of the last place.
    static func logarithm(_ x: Double) -> Double {
        var (exponent, fraction) = (Double(x.exponent), x.significand)
        if fraction > 1.4142135623730951 {
            fraction /= 2
            exponent += 1
        }
        // ln f = 2 artanh t, with |t| ≤ 0.172: t³⁰ is below rounding.
        let t = (fraction - 1) / (fraction + 1)
        let square = t * t
        var (sum, power) = (0.0, t)
        for degree in stride(from: 1, through: 29, by: 2) {
            sum += power / Double(degree)
            power *= square
        }
        return 2 * sum + exponent * 0.6931471805599453
    }

    /// Returns `cos 2πx` for `0 ≤ x < 1`, to within a few units of the last place of 1.
    static func cosine(ofTurns x: Double) -> Double {
        // Towards the nearest quarter, where |y| ≤ π / 4.
        let quarter = (4 * x).rounded()
        let y = (x - quarter / 4) * 6.283185307179586
        let square = y * y
        var (cosine, sine) = (0.0, 0.0)
        var (even, odd) = (1.0, y)
        for degree in 0..<10 {
            cosine += even
            sine += odd
            even *= -square / Double((2 * degree + 1) * (2 * degree + 2))
            odd *= -square / Double((2 * degree + 2) * (2 * degree + 3))
        }
        switch Int(quarter) % 4 {
        case 0: return cosine
        case 1: return -sine
        case 2: return -cosine
        default: return sine
        }
    }
}
