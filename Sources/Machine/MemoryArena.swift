internal import Synchronization

/// Memory that many buffers share, in the large pages of the processor: weights that are read one after
/// the other stream a quarter faster than from 4 KiB pages.
///
/// Nothing is given back before the last buffer is gone.
public final class MemoryArena: Sendable {
    private let budget: MemoryBudget?
    private let state: Mutex<State>

    private struct State {
        var slab: Slab?
        var usedByteCount = 0
        var expectedByteCount: Int
    }

    /// A part of the arena that was allocated at once.
    final class Slab: Sendable {
        let buffer: AlignedBuffer

        init(_ byteCount: Int, _ budget: MemoryBudget?) throws(AllocationError) {
            buffer = try AlignedBuffer(byteCount: byteCount, budget: budget)
        }
    }

    /// So much is allocated at once at most.
    private static let slabByteCount = 64 << 20

    /// Makes an arena; it allocates with the first buffer.
    /// - Parameters:
    ///   - byteCount: how much is expected to be taken, about.
    ///   - budget: what the memory is counted against.
    public init(expecting byteCount: Int, budget: MemoryBudget? = nil) {
        state = Mutex(State(expectedByteCount: byteCount))
        self.budget = budget
    }

    /// Takes bytes that begin on a cache line.
    func take(_ byteCount: Int) throws(AllocationError) -> (slab: Slab, offset: Int) {
        try state.withLock { (state) throws(AllocationError) in
            let alignment = AlignedBuffer.alignment
            let rounded = (byteCount + alignment - 1) / alignment * alignment
            if let slab = state.slab, state.usedByteCount + rounded <= slab.buffer.byteCount {
                defer { state.usedByteCount += rounded }
                return (slab, state.usedByteCount)
            }
            let wanted = min(max(state.expectedByteCount, 1 << 16), Self.slabByteCount)
            let slab = try Slab(max(wanted, rounded), budget)
            state.expectedByteCount -= slab.buffer.byteCount
            state.slab = slab
            state.usedByteCount = rounded
            return (slab, 0)
        }
    }
}
