/// Measures how long work takes.
package enum Stopwatch {
    /// Returns the seconds of each run of `body`, after one run that is not measured.
    ///
    /// Runs at least `runCount` times and at least for the given time together; `before` runs before
    /// each, which is not measured.
    package static func seconds(
        atLeast time: Double,
        runCount: Int,
        before: () -> Void = {},
        _ body: () -> Void
    ) -> [Double] {
        body()
        var seconds: [Double] = []
        var total = 0.0
        while seconds.count < runCount || total < time {
            before()
            seconds.append(self.seconds(body))
            total += seconds[seconds.count - 1]
        }
        return seconds
    }

    /// Returns the seconds of one run.
    package static func seconds(_ body: () -> Void) -> Double {
        let (whole, attoseconds) = ContinuousClock().measure(body).components
        return Double(whole) + Double(attoseconds) * 1e-18
    }

    /// Returns the median: of an even number of values the mean of the middle two, of none 0.
    package static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
