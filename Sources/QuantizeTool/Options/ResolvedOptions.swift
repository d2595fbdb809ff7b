internal import CheckpointIO
internal import Quant
internal import SIMDKernels
internal import Tensors

/// The shared options with their defaults filled in.
struct ResolvedOptions: Sendable {
    /// The threads to work with.
    let threadCount: Int
    /// The bytes that large buffers may take.
    let memoryByteCount: Int

    /// Fills the defaults in.
    init(_ shared: SharedOptions) {
        threadCount = shared.threads ?? AvailableCores.count
        memoryByteCount = shared.memoryLimit?.byteCount ?? HostMemory.defaultLimitByteCount
    }

    /// What `--verbose` shows of them.
    var facts: [ReportDocument.Fact] {
        [
            .init("threads", "\(threadCount)"),
            .init("memory", Quantity.bytes(memoryByteCount)),
            .init("kernels", KernelSelection.name),
        ]
    }

    /// How the library is to run: stopped by signals, told of on the console.
    func runOptions(on console: Console, output: OutputOptions? = nil) -> RunOptions {
        var options = RunOptions()
        options.threadCount = threadCount
        options.budget = MemoryBudget(limitByteCount: memoryByteCount)
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
