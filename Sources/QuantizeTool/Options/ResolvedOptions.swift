internal import CheckpointIO
internal import Machine
internal import Quant
internal import SIMDKernels
internal import Tensors

/// The options of work with their defaults filled in.
struct ResolvedOptions: Sendable {
    /// The threads to work with.
    let threadCount: Int
    /// What all large buffers of the run are counted against.
    let budget: MemoryBudget

    /// Fills the defaults in.
    init(_ work: WorkOptions) {
        threadCount = work.threads.count
        budget = work.memory.budget
    }

    /// What `--verbose` shows of them.
    var facts: [ReportDocument.Fact] {
        [
            .init("threads", "\(threadCount)"),
            .init("memory", Quantity.bytes(budget.limitByteCount)),
            .init("kernels", KernelSelection.name),
        ]
    }

    /// How the library is to run: stopped by signals, told of on the console.
    func runOptions(on console: Console, output: OutputOptions? = nil) -> RunOptions {
        var options = RunOptions()
        options.threadCount = threadCount
        options.budget = budget
        options.overwrites = output?.force ?? false
        options.resumes = output?.resume ?? false
        options.toolVersion = Version.number
        options.stop = StopFlag(followingSignals: true)
        options.progress = { progress in
            let work =
                progress.stage == .packing ? "packing" : progress.tensor.map(\.description) ?? ""
            console.progress(byteCount: progress.doneByteCount, doing: work)
            return .continue
        }
        return options
    }
}

extension ThreadOptions {
    /// The threads to work with.
    var count: Int { threads ?? AvailableCores.count }
}

extension MemoryOptions {
    /// A budget of so many bytes.
    var budget: MemoryBudget {
        MemoryBudget(limitByteCount: memoryLimit?.byteCount ?? HostMemory.defaultLimitByteCount)
    }
}
