public import CheckpointIO
internal import Dispatch

extension ParallelLoop {
    /// A loop on threads of the system, as wide as is said.
    public static func threads(_ width: Int) -> ParallelLoop {
        ParallelLoop(width: width) { count, body in
            DispatchQueue.concurrentPerform(iterations: count) { body($0) }
        }
    }
}
