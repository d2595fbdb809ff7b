internal import CheckpointIO
package import Files
package import Machine
internal import Synchronization

/// Scratch memory of one worker for sources that read others: lent like a stack, kept as long as its owner.
///
/// Calls that nest have a buffer each. The same calls for the next tile find buffers that are large enough,
/// so that nothing is allocated after the first.
package struct Workspace: ~Copyable, Sendable {
    private let budget: MemoryBudget?
    private var free: [Slot] = []

    private final class Slot: Sendable {
        /// Never waited for: a buffer is lent once at a time.
        let buffer: Mutex<AlignedBuffer>

        init(_ budget: MemoryBudget?) throws(CheckpointError) {
            buffer = Mutex(try AlignedBuffer.allocate(byteCount: 0, budget: budget))
        }
    }

    /// Makes an empty workspace.
    /// - Parameter budget: what its buffers are counted against.
    package init(budget: MemoryBudget? = nil) {
        self.budget = budget
    }

    /// Lends a buffer.
    ///
    /// - Parameters:
    ///   - byteCount: how large it is at least; what it holds is whatever was there.
    ///   - body: uses it, and the workspace for calls that need another.
    /// - Throws: `limit.memory`, or what `body` throws.
    package mutating func withBuffer(
        _ byteCount: Int,
        _ body: (inout AlignedBuffer, inout Workspace) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let budget = budget
        let slot: Slot
        if let last = free.popLast() { slot = last } else { slot = try Slot(budget) }
        defer { free.append(slot) }
        try slot.buffer.withLock { (buffer) throws(CheckpointError) in
            try buffer.grow(to: byteCount, budget)
            try body(&buffer, &self)
        }
    }
}

extension AlignedBuffer {
    /// Makes sure of a size; what was in a buffer that grows is gone.
    mutating func grow(to byteCount: Int, _ budget: MemoryBudget?) throws(CheckpointError) {
        guard self.byteCount < byteCount else { return }
        // The old one goes first, so that the two never count together.
        self = try AlignedBuffer.allocate(byteCount: 0, budget: budget)
        self = try AlignedBuffer.allocate(byteCount: byteCount, budget: budget)
    }
}
