internal import CheckpointIO
internal import Machine
internal import Synchronization
internal import Tensors

/// The buffers of one worker, as large as its largest tile needed.
struct WorkerScratch: ~Copyable {
    /// Elements as they come from the source.
    var input: AlignedBuffer
    /// Codes, or elements of another type.
    var output: AlignedBuffer
    /// Scales, float32.
    var scales: AlignedBuffer
    /// Elements decoded from codes, float32.
    var decoded: AlignedBuffer
    /// For sources that read others.
    var reading: Workspace
    private let budget: MemoryBudget?

    init(budget: MemoryBudget?) throws(CheckpointError) {
        let input = try AlignedBuffer.allocate(byteCount: 0, budget: budget)
        let output = try AlignedBuffer.allocate(byteCount: 0, budget: budget)
        let scales = try AlignedBuffer.allocate(byteCount: 0, budget: budget)
        let decoded = try AlignedBuffer.allocate(byteCount: 0, budget: budget)
        self.budget = budget
        self.input = input
        self.output = output
        self.scales = scales
        self.decoded = decoded
        reading = Workspace(budget: budget)
    }

    /// Makes sure that the buffers have at least these sizes; what was in them is gone.
    mutating func reserve(
        input inputByteCount: Int = 0,
        output outputByteCount: Int = 0,
        scales scaleCount: Int = 0,
        decoded decodedCount: Int = 0
    ) throws(CheckpointError) {
        let budget = budget
        try input.grow(to: inputByteCount, budget)
        try output.grow(to: outputByteCount, budget)
        try scales.grow(to: 4 * scaleCount, budget)
        try decoded.grow(to: 4 * decodedCount, budget)
    }
}

/// The scratch memory of all workers of a run.
final class ScratchPool: Sendable {
    /// One worker's; never waited for, since a worker runs one tile at a time.
    private final class Slot: Sendable {
        let scratch: Mutex<WorkerScratch>

        init(budget: MemoryBudget?) throws(CheckpointError) {
            scratch = Mutex(try WorkerScratch(budget: budget))
        }
    }

    private let slots: [Slot]
    /// How many workers have buffers.
    var workerCount: Int { slots.count }

    init(workerCount: Int, budget: MemoryBudget?) throws(CheckpointError) {
        var slots: [Slot] = []
        for _ in 0..<workerCount { slots.append(try Slot(budget: budget)) }
        self.slots = slots
    }

    /// Calls `body` with a worker's buffers.
    func withScratch<Result: Sendable>(
        of worker: Int,
        _ body: (inout WorkerScratch) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        try slots[worker].scratch.withLock { (scratch) throws(CheckpointError) in
            try body(&scratch)
        }
    }
}
