/// A linear scale with round numbers along it.
struct Axis: Sendable {
    /// The round numbers, ascending; the first and the last are the ends of the scale.
    let ticks: [Double]
    /// Digits behind the point that tell the ticks apart.
    let digits: Int

    /// Covers an interval with about `count` steps of 1, 2 or 5 times a power of ten.
    init(covering interval: ClosedRange<Double>, count: Int = 5) {
        let length = max(
            interval.upperBound - interval.lowerBound,
            max(abs(interval.upperBound) * 1e-3, 1e-12)
        )
        var step = 1.0
        var exponent = 0
        while step * 10 <= length / Double(count) {
            step *= 10
            exponent += 1
        }
        while step > length / Double(count) {
            step /= 10
            exponent -= 1
        }
        let multiple = [1.0, 2, 5, 10].first { $0 * step >= length / Double(count) } ?? 10
        step *= multiple
        if multiple == 10 { exponent += 1 }
        let first = (interval.lowerBound / step + 1e-9).rounded(.down)
        let last = max(first + 1, (interval.upperBound / step - 1e-9).rounded(.up))
        ticks = (Int(first)...Int(last)).map { Double($0) * step }
        digits = max(0, -exponent)
    }

    /// Where a value lies between the ends, from 0 to 1.
    func position(of value: Double) -> Double {
        guard let first = ticks.first, let last = ticks.last, last > first else { return 0 }
        return (value - first) / (last - first)
    }

    /// The numbers to print at the ticks.
    var labels: [String] { ticks.map { Quantity.decimal($0, digits) } }
}
