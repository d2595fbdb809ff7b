internal import Machine
internal import SIMDKernels

/// What to measure, and how long.
public struct BenchmarkOptions: Hashable, Sendable {
    /// The rows of the matrix, and its columns.
    public var size: Int
    /// The threads that share the work.
    public var threadCount: Int
    /// The shortest time for each measurement, in seconds.
    public var seconds: Double
    /// The fewest runs of each measurement.
    public var leastRunCount: Int
    /// Measures only rows whose name contains this; all if nil.
    public var filter: String?
    /// Measures every variant and the plain Swift references, not only the variants in use.
    public var allVariants: Bool

    /// Makes options.
    ///
    /// - Parameters:
    ///   - size: the rows of the matrix, and its columns; a multiple of 64.
    ///   - threadCount: the threads that share the work; nil for the cores of the process.
    ///   - seconds: the shortest time for each measurement.
    ///   - leastRunCount: the fewest runs of each measurement, at least 1.
    ///   - filter: measures only rows whose name contains this.
    ///   - allVariants: measures every variant and the plain Swift references.
    public init(
        size: Int = 4096,
        threadCount: Int? = nil,
        seconds: Double = 0.25,
        leastRunCount: Int = 5,
        filter: String? = nil,
        allVariants: Bool = false
    ) {
        precondition(size > 0 && size % 64 == 0, "size \(size) is no multiple of 64")
        precondition(leastRunCount > 0, "\(leastRunCount) runs")
        self.size = size
        self.threadCount = threadCount ?? AvailableCores.count
        self.seconds = seconds
        self.leastRunCount = leastRunCount
        self.filter = filter
        self.allVariants = allVariants
    }
}
