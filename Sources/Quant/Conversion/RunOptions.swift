public import CheckpointIO
public import Machine
internal import Tensors

/// How a conversion or a verification is to be run; nothing here changes what is written.
public struct RunOptions: Sendable {
    /// The threads to work with; nil for one for each core this process may use.
    public var threadCount: Int?
    /// What large buffers are counted against.
    public var budget = MemoryBudget()
    /// Whether an existing destination is replaced.
    public var overwrites = false
    /// Whether to go on where an earlier run was stopped.
    public var resumes = false
    /// Names the program and its version in the journal: another one does not resume.
    public var toolVersion = ""
    /// Looked at between tiles; nil if nobody asks to stop this way.
    public var stop: StopFlag?
    /// Told how far it is, now and then, from any thread but never from two at once.
    public var progress: (@Sendable (RunProgress) -> RunDecision)?

    /// Makes options with these defaults.
    public init() {}

    /// The threads.
    package var workers: WorkerPool {
        WorkerPool.shared(threadCount: threadCount ?? AvailableCores.count)
    }
}

/// How far a run is.
public struct RunProgress: Sendable, Hashable {
    /// What is being done.
    public enum Stage: Sendable, Hashable {
        /// Reading, computing and writing tensors.
        case tensors
        /// Packing a file with zstd.
        case packing
    }

    /// What is being done.
    public let stage: Stage
    /// Bytes of the source that are done.
    public let doneByteCount: Int
    /// Bytes of the source in all.
    public let totalByteCount: Int
    /// The tensor that was worked on last.
    public let tensor: Name?
}

/// What a run does after it told how far it is.
public enum RunDecision: Sendable, Hashable {
    case `continue`
    /// Ends the run with `output.stopped`; what is finished can be resumed.
    case stop
}
