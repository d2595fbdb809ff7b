public import Machine
public import SIMDKernels

/// Measures what adapters cost beside the quantized layer that they are on.
///
/// Every way is run in turn, so that all meet the same moments of a shared machine; medians are compared.
public enum LayerBenchmark {
    /// One layer and what is done with it.
    public struct Task: Sendable, Hashable {
        /// `N`.
        public let outputs: Int
        /// `K`.
        public let inputs: Int
        /// Rows of activations.
        public let rows: Int
        /// Whether the gradients are computed, too.
        public let goesBack: Bool
    }

    /// What is on the layer.
    public enum Way: String, Sendable, Hashable, CaseIterable {
        /// Nothing.
        case bare
        /// One adapter.
        case lora
        /// One with a magnitude.
        case dora
        /// Four adapters in a batch of eight samples.
        case mixed
    }

    /// A measurement.
    public struct Row: Sendable {
        /// The layer.
        public let task: Task
        /// What is on it.
        public let way: Way
        /// The median of all runs.
        public let seconds: Double
        /// The bytes of activations, gradients, factors, scratch and weight while it runs.
        public let byteCount: Int
    }

    /// The rank of the adapters.
    public static let rank = 16

    /// What is measured: decoding, prefill, batches and training, of a large and a small layer.
    public static let tasks: [Task] = [
        Task(outputs: 4096, inputs: 4096, rows: 1, goesBack: false),
        Task(outputs: 4096, inputs: 4096, rows: 8, goesBack: false),
        Task(outputs: 4096, inputs: 4096, rows: 512, goesBack: false),
        Task(outputs: 2048, inputs: 2048, rows: 1024, goesBack: true),
        Task(outputs: 576, inputs: 1536, rows: 1, goesBack: false),
        Task(outputs: 576, inputs: 1536, rows: 512, goesBack: false),
        Task(outputs: 576, inputs: 1536, rows: 1024, goesBack: true),
    ]

    /// Measures everything.
    /// - Parameters:
    ///   - seconds: for each task, at least.
    ///   - mode: how operands of products with the base are rounded.
    ///   - workers: the threads.
    ///   - progress: is called before each task.
    /// - Returns: the rows, task by task.
    /// - Throws: `CheckpointError` if memory is refused.
    public static func run(
        seconds: Double,
        mode: ComputeMode = .bfloat16,
        on workers: WorkerPool = .shared(),
        progress: (Task) -> Void = { _ in }
    ) throws -> [Row] {
        try tasks.flatMap { task in
            progress(task)
            return try measure(task, seconds: seconds, mode: mode, on: workers)
        }
    }

    static func measure(
        _ task: Task,
        seconds: Double,
        mode: ComputeMode,
        on workers: WorkerPool
    ) throws -> [Row] {
        let ways = Way.allCases.filter { way in
            switch way {
            case .bare, .lora, .dora: true
            case .mixed: !task.goesBack && task.rows % 8 == 0
            }
        }
        var benches = try ways.map { try LayerBench(task, $0) }
        var times = [[Double]](repeating: [], count: ways.count)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        // Twice unmeasured: buffers grow, and caches fill.
        for round in 0... {
            for index in benches.indices {
                let start = clock.now
                try benches[index].run(mode: mode, on: workers)
                let time = clock.now - start
                if round >= 2 { times[index].append(time.inSeconds) }
            }
            if round >= 6, clock.now >= end { break }
        }
        return ways.indices.map { index in
            Row(
                task: task,
                way: ways[index],
                seconds: times[index].sorted()[times[index].count / 2],
                byteCount: benches[index].byteCount
            )
        }
    }
}
