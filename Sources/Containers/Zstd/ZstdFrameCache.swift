internal import Files
internal import Machine
internal import Synchronization
internal import Tensors

/// Unpacks whole frames, on the threads that ask, and keeps the last few.
final class ZstdFrameCache: ZstdMemoryOwner {
    private let packed: any ByteSource
    private let frames: [ZstdFrameTable.Frame]
    private let memory: ZstdMemory
    private let slots: [Slot]
    private let decoders = ZstdDecoderPool()
    private let decodedBytes = Atomic<Int>(0)

    /// One frame that was unpacked lately; threads that want the same one wait for the first.
    private final class Slot: Sendable {
        let content: Mutex<Content?> = Mutex(nil)
    }

    private struct Content: ~Copyable {
        /// The frame in the buffer; `nil` while it is being unpacked, and after a failure.
        var frameIndex: Int?
        var buffer: AlignedBuffer
    }

    init(_ packed: any ByteSource, frames: [ZstdFrameTable.Frame], memory: ZstdMemory) {
        self.packed = packed
        self.frames = frames
        self.memory = memory
        slots = (0..<8).map { _ in Slot() }
    }

    /// How many bytes have been unpacked so far.
    var decodedByteCount: Int { decodedBytes.load(ordering: .relaxed) }

    func release() {
        for slot in slots { _ = slot.content.withLockIfAvailable { $0 = nil } }
        decoders.empty()
    }

    /// Reads from a place of a frame's content on.
    func read(
        _ index: Int,
        from start: Int,
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        let frame = frames[index]
        if bytes.byteCount == frame.content.count { return try decode(frame, into: &bytes) }
        // The target goes into the lock as a buffer, since a span may not be captured there.
        try unsafe bytes.withUnsafeMutableBytes { (target) throws(CheckpointError) in
            let target = unsafe target
            try withContent(index) { unpacked in
                let part = unpacked.extracting(start..<start + target.count)
                unsafe part.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
            }
        }
    }

    /// Unpacks a frame and keeps it, or does nothing if it is kept already.
    func verify(_ index: Int) throws(CheckpointError) {
        try withContent(index) { _ in }
    }

    private func withContent(
        _ index: Int,
        _ body: (RawSpan) -> Void
    ) throws(CheckpointError) {
        // Neighbours go to different slots, so threads at work side by side do not wait.
        let slot = slots[index % slots.count]
        let isDone = try slot.content.withLockIfAvailable {
            (content: inout Content?) throws(CheckpointError) in
            try fill(&content, with: index)
            content?.buffer.withBytes(body)
            return true
        }
        guard isDone == nil else { return }
        // Somebody is unpacking it; meanwhile unpack what will be wanted next.
        prefetch(index + 1)
        try slot.content.withLock { (content: inout Content?) throws(CheckpointError) in
            try fill(&content, with: index)
            content?.buffer.withBytes(body)
        }
    }

    private func prefetch(_ index: Int) {
        guard index < frames.count, frames[index].isSmall else { return }
        _ = slots[index % slots.count].content.withLockIfAvailable { content in
            // A defect is told to whoever asks for the frame.
            try? fill(&content, with: index)
        }
    }

    private func fill(
        _ content: inout Content?,
        with index: Int
    ) throws(CheckpointError) {
        let byteCount = frames[index].content.count
        if content?.frameIndex == index { return }
        if (content?.buffer.byteCount ?? -1) < byteCount {
            // The old buffer goes before the new one comes.
            content = nil
            content = Content(frameIndex: nil, buffer: try buffer(byteCount: byteCount))
        }
        content?.frameIndex = nil
        try content?.buffer.withMutablePrefix(byteCount) {
            (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try decode(frames[index], into: &bytes)
        }
        content?.frameIndex = index
    }

    /// Allocates a buffer; if the budget has no room, what others are kept goes.
    private func buffer(byteCount: Int) throws(CheckpointError) -> AlignedBuffer {
        memory.activate(self)
        do {
            return try AlignedBuffer(byteCount: byteCount, budget: memory.budget)
        } catch {
            release()
            return try AlignedBuffer.allocate(byteCount: byteCount, budget: memory.budget)
        }
    }

    private func decode(
        _ frame: ZstdFrameTable.Frame,
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        let decoder = try decoders.take(budget: memory.budget)
        if decoder.packedByteCount < frame.packed.count {
            memory.activate(self)
            do throws(CheckpointError) {
                try decoder.reserve(packedByteCount: frame.packed.count)
            } catch {
                release()
                try decoder.reserve(packedByteCount: frame.packed.count)
            }
        }
        try decoder.decode(frame, of: packed, into: &bytes)
        decoders.giveBack(decoder)
        decodedBytes.wrappingAdd(frame.content.count, ordering: .relaxed)
    }
}

/// Decoders that nobody uses now.
private final class ZstdDecoderPool: Sendable {
    /// A decoder on its way from one user to the next.
    private struct Idle: @unchecked Sendable {
        // Whoever takes it out of the list has it alone.
        let decoder: ZstdDecoder
    }

    private let idle = Mutex<[Idle]>([])

    func take(budget: MemoryBudget?) throws(CheckpointError) -> ZstdDecoder {
        if let idle = idle.withLock({ $0.popLast() }) { return idle.decoder }
        return try ZstdDecoder(budget: budget)
    }

    func empty() { idle.withLock { $0.removeAll() } }

    func giveBack(_ decoder: ZstdDecoder) {
        let returned = Idle(decoder: decoder)
        idle.withLock { $0.append(returned) }
    }
}
