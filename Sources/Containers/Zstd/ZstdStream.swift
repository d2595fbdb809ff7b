internal import CZstd
internal import Files
internal import Machine
internal import Tensors

/// Unpacks one large frame from its start on, a piece at a time, in bounded memory.
///
/// `@safe`: the context never leaves it. Not `Sendable`: its owner guards it.
@safe
final class ZstdStream {
    let frame: ZstdFrameTable.Frame
    /// The bytes of the frame's content that came out so far.
    private(set) var position = 0
    private let source: any ByteSource
    private let context: OpaquePointer
    private var input: AlignedBuffer
    private var inputRange = 0..<0
    private var packedPosition: Int
    private var isAtEnd = false
    private let windowReservation: MemoryShare

    private static let inputByteCount = 128 << 10

    /// - Throws: `limit.memory` if the frame's window exceeds the budget.
    init(
        _ frame: ZstdFrameTable.Frame,
        of source: any ByteSource,
        budget: MemoryBudget?
    ) throws(CheckpointError) {
        self.frame = frame
        self.source = source
        packedPosition = frame.packed.lowerBound
        // The window is allocated inside libzstd, when the first block comes.
        windowReservation = try MemoryShare(
            byteCount: frame.windowByteCount + (256 << 10),
            of: budget
        )
        input = try AlignedBuffer.allocate(byteCount: Self.inputByteCount, budget: budget)
        guard let context = unsafe ZSTD_createDCtx() else {
            throw CheckpointError(.limitMemory, "no memory for a zstd decoder")
        }
        unsafe self.context = context
        let status = unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 27)
        precondition(ZSTD_isError(status) == 0, "zstd refuses a window of 128 MiB")
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// Fills bytes with the next of the content; at its end also checks that the frame ends there.
    /// - Precondition: no more than is left.
    /// - Throws: what reading throws; `zstd.corrupt`, `.checksum`, `.size`, `.truncated`.
    func read(into bytes: inout MutableRawSpan) throws(CheckpointError) {
        precondition(bytes.byteCount <= frame.content.count - position, "behind the frame's end")
        var done = 0
        while done < bytes.byteCount {
            let produced = try step(into: &bytes, from: done)
            if produced == 0, isAtEnd { throw ZstdFailure.size(position, of: frame) }
            done += produced
            position += produced
        }
        if position == frame.content.count { try finish() }
    }

    /// Lets the decoder reach the end of the frame, where it compares the checksum.
    private func finish() throws(CheckpointError) {
        var excess: [UInt8] = [0]
        while !isAtEnd {
            let produced = try excess.withMutableRawSpan {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try step(into: &bytes, from: 0)
            }
            guard produced == 0 else { throw ZstdFailure.size(position + produced, of: frame) }
        }
        guard inputRange.isEmpty, packedPosition == frame.packed.upperBound else {
            throw CheckpointError(
                .zstdSeekTable,
                "the frame is shorter than the seek table says",
                offset: UInt64(frame.packed.lowerBound)
            )
        }
    }

    /// Runs the decoder once.
    /// - Returns: the bytes that came out.
    private func step(
        into bytes: inout MutableRawSpan,
        from start: Int
    ) throws(CheckpointError) -> Int {
        guard !isAtEnd else { return 0 }
        if inputRange.isEmpty { try refill() }
        let (status, produced, consumed) = input.withBytes { packed in
            unsafe packed.withUnsafeBytes { packed in
                unsafe bytes.withUnsafeMutableBytes { output in
                    var source = unsafe ZSTD_inBuffer(
                        src: packed.baseAddress,
                        size: inputRange.upperBound,
                        pos: inputRange.lowerBound
                    )
                    var target = unsafe ZSTD_outBuffer(
                        dst: output.baseAddress,
                        size: output.count,
                        pos: start
                    )
                    let status = unsafe ZSTD_decompressStream(context, &target, &source)
                    return unsafe (status, target.pos - start, source.pos)
                }
            }
        }
        guard ZSTD_isError(status) == 0 else { throw ZstdFailure.error(status, in: frame) }
        inputRange = consumed..<inputRange.upperBound
        isAtEnd = status == 0
        return produced
    }

    private func refill() throws(CheckpointError) {
        let count = min(Self.inputByteCount, frame.packed.upperBound - packedPosition)
        guard count > 0 else {
            throw CheckpointError(
                .zstdTruncated,
                "the frame ends before its last block",
                offset: UInt64(packedPosition)
            )
        }
        try input.withMutablePrefix(count) {
            (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try source.read(at: packedPosition, into: &bytes)
        }
        packedPosition += count
        inputRange = 0..<count
    }
}

/// Memory that somebody else allocates, counted while this lives.
final class MemoryShare: Sendable {
    private let byteCount: Int
    private let budget: MemoryBudget?

    init(byteCount: Int, of budget: MemoryBudget?) throws(CheckpointError) {
        do {
            try budget?.reserve(byteCount)
        } catch {
            throw CheckpointError(error)
        }
        self.byteCount = byteCount
        self.budget = budget
    }

    deinit { budget?.release(byteCount) }
}
