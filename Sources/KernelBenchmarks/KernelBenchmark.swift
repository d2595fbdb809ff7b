internal import Machine
internal import SIMDKernels
internal import Tensors

/// Measures the kernels beside the memory of the machine.
public enum KernelBenchmark {
    /// All families; their rows appear in this order.
    static var families: [any BenchmarkFamily.Type] {
        [
            Quantize4BitFamily.self,
            Dequantize4BitFamily.self,
            QuantizeInt8RowsFamily.self,
            DequantizeInt8RowsFamily.self,
            Quantize8BitFamily.self,
            Dequantize8BitFamily.self,
            ScaleSearch4BitFamily.self,
            ErrorSumsFamily.self,
            ConvertFloatFamily.self,
            ProductFamily.self,
        ]
    }

    /// Returns the rows that the options select.
    package static func cases(_ options: BenchmarkOptions) -> [BenchmarkCase] {
        families.flatMap { $0.cases(size: options.size) }
            .filter { row in options.filter.map { row.name.contains($0) } ?? true }
    }

    /// Measures the memory and then every selected row.
    ///
    /// - Parameters:
    ///   - options: what to measure, and how long.
    ///   - progress: is called with the name of each row before it is measured.
    /// - Returns: the measurements.
    /// - Throws: an error if the memory for the buffers is refused.
    public static func run(
        _ options: BenchmarkOptions,
        progress: (String) -> Void = { _ in }
    ) throws -> BenchmarkReport {
        var memory = try BenchmarkMemory(size: options.size)
        let workers = WorkerPool.shared(threadCount: options.threadCount)
        progress("memory read")
        let read = MemoryRead.benchmarkCase(size: options.size)
        let limit = measure(read, &memory, workers, options)
        let results = cases(options).map { row in
            progress(row.name)
            return measure(row, &memory, workers, options)
        }
        return BenchmarkReport(options: options, memoryRead: limit, results: results)
    }

    private static func measure(
        _ row: BenchmarkCase,
        _ memory: inout BenchmarkMemory,
        _ workers: WorkerPool,
        _ options: BenchmarkOptions
    ) -> BenchmarkResult {
        memory.fill(row.element)
        let seconds = Stopwatch.seconds(
            atLeast: options.seconds,
            runCount: options.leastRunCount
        ) {
            row.run(&memory, workers)
        }
        return BenchmarkResult(
            operation: row.operation,
            format: row.format,
            element: row.numbers,
            variant: row.variant,
            isSelected: row.isSelected,
            byteCount: row.byteCount,
            operationCount: row.operationCount,
            runCount: seconds.count,
            medianSeconds: Stopwatch.median(seconds),
            bestSeconds: seconds.min() ?? 0
        )
    }
}
