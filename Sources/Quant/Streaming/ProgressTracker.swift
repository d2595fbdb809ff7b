internal import CheckpointIO
internal import Synchronization

/// Counts what is done, tells whoever wants to know, and stops when asked to.
final class ProgressTracker: Sendable {
    /// Told at most once for so many bytes.
    private static let stepByteCount = 4 << 20

    /// Set by whoever asks to stop.
    let stop: StopFlag
    private let report: (@Sendable (RunProgress) -> RunDecision)?
    private let state: Mutex<State>

    private struct State {
        var stage = RunProgress.Stage.tensors
        var done = 0
        var total: Int
        var told = -ProgressTracker.stepByteCount
    }

    init(totalByteCount: Int, options: RunOptions) {
        stop = options.stop ?? StopFlag()
        report = options.progress
        state = Mutex(State(total: totalByteCount))
    }

    /// Counts bytes that are done.
    /// - Throws: `output.stopped`.
    func advance(by byteCount: Int, tensor: Name?) throws(CheckpointError) {
        if let report {
            state.withLock { state in
                state.done += byteCount
                guard state.done - state.told >= Self.stepByteCount || state.done == state.total
                else { return }
                state.told = state.done
                tell(report, state, tensor)
            }
        }
        try stop.check()
    }

    /// Tells how much of a file is packed.
    func packed(_ byteCount: Int, of totalByteCount: Int) {
        guard let report else { return }
        state.withLock { state in
            var packing = state
            packing.stage = .packing
            packing.done = byteCount
            packing.total = totalByteCount
            tell(report, packing, nil)
        }
    }

    private func tell(
        _ report: @Sendable (RunProgress) -> RunDecision,
        _ state: borrowing State,
        _ tensor: Name?
    ) {
        let progress = RunProgress(
            stage: state.stage,
            doneByteCount: state.done,
            totalByteCount: state.total,
            tensor: tensor
        )
        if report(progress) == .stop { stop.request() }
    }
}
