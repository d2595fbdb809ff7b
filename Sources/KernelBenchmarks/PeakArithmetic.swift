internal import Machine
internal import SIMDKernels
internal import Tensors

/// Multiplying and adding in registers: the limit of products that memory does not hold up.
enum PeakArithmetic {
    /// Rounds of a loop: about a third of a millisecond.
    private static let roundCount = 100_000
    /// Loops for each thread: one that wakes late finds some left, and does not fall asleep again.
    private static let loopsPerThread = 8

    /// Returns the row of a mode; nil if this host has no instructions of its own for it.
    static func benchmarkCase(_ mode: ComputeMode, threadCount: Int) -> BenchmarkCase? {
        guard let peak = PeakRate.fastest(for: mode) else { return nil }
        let loopCount = loopsPerThread * threadCount
        return BenchmarkCase(
            operation: "peak",
            format: "registers",
            element: .float32,
            mode: mode,
            variant: peak.variant.name,
            isSelected: true,
            byteCount: 0,
            operationCount: loopCount * roundCount * peak.operationCount,
            limit: .arithmetic(mode)
        ) { memory, workers in
            let results = workers.map(loopCount) { _, _ in peak.run(rounds: roundCount) }
            // Uses the results, so that the compiler keeps the loops.
            memory.scales[0] = results.contains(.infinity) ? 0.05 : memory.scales[0]
        }
    }
}
