internal import SIMDKernels

/// What the machine can do at best, as measured before the rows that are compared with it.
struct MachineLimits {
    /// The row that reads memory.
    let read: BenchmarkCase
    /// How fast memory is read.
    var memoryRead: BenchmarkResult?
    /// How fast numbers are multiplied and added, for each mode that has instructions of its own.
    var peaks: [ComputeMode: BenchmarkResult] = [:]

    /// The peak that products of a mode are compared with: float32's, where the mode has none.
    private func peak(of mode: ComputeMode) -> BenchmarkResult? {
        peaks[mode] ?? peaks[.float32]
    }

    /// Returns what share of its limit a row reaches that takes so long; 1 where the limit is unknown,
    /// as while it is measured.
    func share(of row: BenchmarkCase, seconds: Double) -> Double {
        switch row.limit {
        case .memory:
            guard let memoryRead else { return 1 }
            return Double(row.byteCount) / seconds / 1e9 / memoryRead.gigabytesPerSecond
        case .arithmetic(let mode):
            guard let peak = peak(of: mode) else { return 1 }
            return Double(row.operationCount) / seconds / 1e9 / peak.bestGigaflops
        }
    }
}
