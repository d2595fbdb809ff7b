internal import Files
internal import Machine
internal import Synchronization
internal import Tensors

/// Reads inside frames that are too large to unpack whole: one stream that moves forward, and the
/// last pieces that came out of it, because threads do not ask quite in order.
final class ZstdWindow: ZstdMemoryOwner {
    private static let pieceByteCount = 2 << 20
    private static let pieceLimit = 16

    /// Jumps back may cost so much unpacking beyond three times the frame.
    private static let allowanceByteCount = 512 << 20

    private let packed: any ByteSource
    private let memory: ZstdMemory
    private let state = Mutex(State())

    /// One piece of a frame's content.
    private final class Piece: Sendable {
        let start: Int
        let bytes: AlignedBuffer

        init(start: Int, bytes: consuming AlignedBuffer) {
            self.start = start
            self.bytes = bytes
        }
    }

    private struct State: @unchecked Sendable {
        // The stream is not Sendable; it never leaves the lock.
        var stream: ZstdStream?
        var frameIndex: Int?
        var pieces: [Piece] = []
        var decodedByteCount = 0
    }

    init(_ packed: any ByteSource, memory: ZstdMemory) {
        self.packed = packed
        self.memory = memory
    }

    func release() {
        _ = state.withLockIfAvailable { $0 = State(decodedByteCount: $0.decodedByteCount) }
    }

    var decodedByteCount: Int { state.withLock { $0.decodedByteCount } }

    /// Reads from a place of a frame's content on.
    func read(
        _ frame: ZstdFrameTable.Frame,
        index: Int,
        from start: Int,
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        var done = 0
        while done < bytes.byteCount {
            let place = start + done
            let piece = try piece(
                at: place / Self.pieceByteCount * Self.pieceByteCount,
                of: frame,
                index: index
            )
            let first = place - piece.start
            let count = min(bytes.byteCount - done, piece.bytes.byteCount - first)
            var part = bytes._mutatingExtracting(done..<done + count)
            piece.bytes.withBytes { part.copy(from: $0.extracting(first..<first + count)) }
            done += count
        }
    }

    private func piece(
        at start: Int,
        of frame: ZstdFrameTable.Frame,
        index: Int
    ) throws(CheckpointError) -> Piece {
        try state.withLock { (state: inout State) throws(CheckpointError) in
            if state.frameIndex == index,
                let known = state.pieces.first(where: { $0.start == start })
            {
                return known
            }
            if state.frameIndex != index || (state.stream?.position ?? Int.max) > start {
                try requireAllowance(after: state.decodedByteCount, frame)
                state = State(decodedByteCount: state.decodedByteCount)
                memory.activate(self)
                state.stream = try ZstdStream(frame, of: packed, budget: memory.budget)
                state.frameIndex = index
            }
            do throws(CheckpointError) {
                return try advance(&state, to: start)
            } catch {
                // A stream that failed is of no further use.
                state = State(decodedByteCount: state.decodedByteCount)
                throw error
            }
        }
    }

    /// Throws if so much was unpacked again and again that going on would take for ever.
    /// - Throws: `zstd.order`.
    private func requireAllowance(
        after decodedByteCount: Int,
        _ frame: ZstdFrameTable.Frame
    ) throws(CheckpointError) {
        guard decodedByteCount > 3 * frame.content.count + Self.allowanceByteCount else { return }
        throw CheckpointError(
            .zstdOrder,
            "tensors are read back and forth in one frame of \(frame.content.count) bytes, which"
                + " would be unpacked again and again",
            offset: UInt64(frame.packed.lowerBound),
            hint: "unpack the file first: zstd -d"
        )
    }

    /// Unpacks up to and including the piece that begins at `start`.
    private func advance(
        _ state: inout State,
        to start: Int
    ) throws(CheckpointError) -> Piece {
        while let stream = state.stream {
            if state.pieces.count == Self.pieceLimit { state.pieces.removeFirst() }
            let first = stream.position
            var bytes = try AlignedBuffer.allocate(
                byteCount: min(Self.pieceByteCount, stream.frame.content.count - first),
                budget: memory.budget
            )
            try bytes.withMutableBytes { (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try stream.read(into: &bytes)
            }
            state.decodedByteCount += bytes.byteCount
            let piece = Piece(start: first, bytes: bytes)
            state.pieces.append(piece)
            if first == start { return piece }
        }
        preconditionFailure("reading without a stream")
    }

    /// Unpacks a whole frame and throws it away.
    static func verify(
        _ frame: ZstdFrameTable.Frame,
        of packed: any ByteSource,
        budget: MemoryBudget?
    ) throws(CheckpointError) {
        let stream = try ZstdStream(frame, of: packed, budget: budget)
        var scratch = try AlignedBuffer.allocate(byteCount: 256 << 10, budget: budget)
        while stream.position < frame.content.count {
            let count = min(scratch.byteCount, frame.content.count - stream.position)
            try scratch.withMutablePrefix(count) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try stream.read(into: &bytes)
            }
        }
    }
}
