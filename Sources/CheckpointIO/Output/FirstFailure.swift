internal import Synchronization

/// The error of the lowest-numbered iteration that failed.
///
/// Threads finish in any order, but a broken file must be reported in the same words every time.
final class FirstFailure: Sendable {
    private let first = Mutex<(index: Int, error: CheckpointError)?>(nil)

    /// The error, once all iterations are done.
    var error: CheckpointError? { first.withLock { $0?.error } }

    /// Whether an iteration can still change the outcome.
    func isStillWanted(_ index: Int) -> Bool {
        first.withLock { $0.map { index < $0.index } ?? true }
    }

    /// Keeps the error if no lower-numbered iteration has failed.
    func record(_ error: CheckpointError, at index: Int) {
        first.withLock { first in
            if let known = first, known.index <= index { return }
            first = (index, error)
        }
    }
}
