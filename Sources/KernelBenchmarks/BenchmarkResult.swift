/// What one measurement found.
public struct BenchmarkResult: Hashable, Sendable {
    /// What is computed, for example `quantize`.
    public let operation: String
    /// The format, for example `nf4`.
    public let format: String
    /// The element type of the floats, for example `float32`; of a product, its mode.
    public let element: String
    /// The variant, for example `avx2`.
    public let variant: String
    /// Whether this variant is the one in use.
    public let isSelected: Bool
    /// The bytes of floats that a run reads or writes.
    public let byteCount: Int
    /// Multiplications and additions of a run; 0 where these are not what counts.
    public let operationCount: Int
    /// How often it ran.
    public let runCount: Int
    /// The median time of a run, in seconds.
    public let medianSeconds: Double
    /// The shortest time of a run, in seconds.
    public let bestSeconds: Double

    /// What it cannot be faster than.
    public let limit: BenchmarkLimit
    /// The share of the limit that the median run reached; 1 of the limits themselves.
    public let shareOfLimit: Double

    /// The bytes of floats per second of the median run, in units of 10⁹.
    public var gigabytesPerSecond: Double { Double(byteCount) / medianSeconds / 1e9 }
    /// Multiplications and additions per second of the median run, in units of 10⁹.
    public var gigaflops: Double { Double(operationCount) / medianSeconds / 1e9 }
    /// Multiplications and additions per second of the shortest run, in units of 10⁹.
    public var bestGigaflops: Double { Double(operationCount) / bestSeconds / 1e9 }
    /// The bytes of floats per second of the shortest run, in units of 10⁹.
    public var bestGigabytesPerSecond: Double { Double(byteCount) / bestSeconds / 1e9 }
}

/// All measurements of a run, and the machine's own limits.
public struct BenchmarkReport: Hashable, Sendable {
    /// What was measured, and how long.
    public let options: BenchmarkOptions
    /// The speed at which the threads together read memory and do nothing with it.
    public let memoryRead: BenchmarkResult
    /// The speed at which they multiply and add in registers, for each mode that has instructions;
    /// their best run is the limit.
    public let peaks: [BenchmarkResult]
    /// The measurements, in the order of the families and their variants.
    public let results: [BenchmarkResult]
}
