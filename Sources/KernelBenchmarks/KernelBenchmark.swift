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
            CountNonFiniteFamily.self,
            ConvertFloatFamily.self,
            ProductFamily.self,
        ]
    }

    /// Returns the rows that the options select.
    package static func cases(_ options: BenchmarkOptions) -> [BenchmarkCase] {
        families.flatMap { $0.cases(size: options.size) }
            .filter { row in
                (options.allVariants || row.isSelected)
                    && options.filter.map { row.name.contains($0) } ?? true
            }
    }

    /// Returns the names of the rows that the options select, in their order.
    public static func names(_ options: BenchmarkOptions) -> [String] {
        cases(options).map(\.name)
    }

    /// Measures the limits of the machine and then every selected row.
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
        var limits = MachineLimits(read: MemoryRead.benchmarkCase(size: options.size))
        let unknown = limits
        progress("memory read")
        let memoryRead = measure(limits.read, unknown, &memory, workers, options)
        limits.memoryRead = memoryRead
        for mode in ComputeMode.allCases {
            let row = PeakArithmetic.benchmarkCase(mode, threadCount: options.threadCount)
            guard let row else { continue }
            progress(row.name)
            limits.peaks[mode] = measure(row, unknown, &memory, workers, options)
        }
        let results = cases(options).map { row in
            progress(row.name)
            return measure(row, limits, &memory, workers, options)
        }
        return BenchmarkReport(
            options: options,
            memoryRead: memoryRead,
            peaks: ComputeMode.allCases.compactMap { limits.peaks[$0] },
            results: results
        )
    }

    private static func measure(
        _ row: BenchmarkCase,
        _ limits: MachineLimits,
        _ memory: inout BenchmarkMemory,
        _ workers: WorkerPool,
        _ options: BenchmarkOptions
    ) -> BenchmarkResult {
        memory.fill(row.element)
        // Reading is no steady limit: a row that is compared with it takes turns with it.
        let isPaired = row.mode != nil && row.limit == .memory
        var reading: [Double] = []
        let seconds = Stopwatch.seconds(
            atLeast: options.seconds,
            runCount: options.leastRunCount,
            before: {
                guard isPaired else { return }
                reading.append(Stopwatch.seconds { limits.read.run(&memory, workers) })
            }
        ) {
            row.run(&memory, workers)
        }
        let median = Stopwatch.median(seconds)
        return BenchmarkResult(
            operation: row.operation,
            format: row.format,
            element: row.numbers,
            variant: row.variant,
            isSelected: row.isSelected,
            byteCount: row.byteCount,
            operationCount: row.operationCount,
            runCount: seconds.count,
            medianSeconds: median,
            bestSeconds: seconds.min() ?? 0,
            limit: row.limit,
            shareOfLimit: isPaired
                ? Stopwatch.median(
                    zip(reading.suffix(seconds.count), seconds).map { reading, own in
                        Double(row.byteCount) / own / (Double(limits.read.byteCount) / reading)
                    }
                )
                : limits.share(of: row, seconds: median)
        )
    }
}
