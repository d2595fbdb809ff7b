internal import CZstd
internal import Files
internal import Machine
internal import Tensors

/// A decoder of libzstd with its packed input: unpacks whole frames, one at a time.
///
/// `@safe`: the context never leaves it. Not `Sendable`: whoever takes one from the pool has it
/// alone.
@safe
final class ZstdDecoder {
    private let context: OpaquePointer
    private var packed: AlignedBuffer
    private let budget: MemoryBudget?

    init(budget: MemoryBudget?) throws(CheckpointError) {
        guard let context = unsafe ZSTD_createDCtx() else {
            throw CheckpointError(.limitMemory, "no memory for a zstd decoder")
        }
        unsafe self.context = context
        self.budget = budget
        packed = try AlignedBuffer.allocate(byteCount: 0, budget: budget)
        let status = unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 27)
        precondition(ZSTD_isError(status) == 0, "zstd refuses a window of 128 MiB")
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// The longest frame that there is room for.
    var packedByteCount: Int { packed.byteCount }

    /// Makes room for a frame.
    /// - Throws: `limit.memory`.
    func reserve(packedByteCount: Int) throws(CheckpointError) {
        guard packed.byteCount < packedByteCount else { return }
        // The old buffer goes before the new one comes.
        packed = try AlignedBuffer.allocate(byteCount: 0, budget: budget)
        packed = try AlignedBuffer.allocate(byteCount: packedByteCount, budget: budget)
    }

    /// Unpacks a frame into exactly its promised size.
    /// - Throws: what reading throws; `zstd.corrupt`, `.checksum`, `.size`.
    func decode(
        _ frame: ZstdFrameTable.Frame,
        of source: any ByteSource,
        into content: inout MutableRawSpan
    ) throws(CheckpointError) {
        precondition(content.byteCount == frame.content.count, "a buffer of another size")
        let packedByteCount = frame.packed.count
        try reserve(packedByteCount: packedByteCount)
        let status = try packed.withMutablePrefix(packedByteCount) {
            (input: inout MutableRawSpan) throws(CheckpointError) -> Int in
            try source.read(at: frame.packed.lowerBound, into: &input)
            return unsafe input.withUnsafeBytes { input in
                unsafe content.withUnsafeMutableBytes { output in
                    unsafe ZSTD_decompressDCtx(
                        context,
                        output.baseAddress,
                        output.count,
                        input.baseAddress,
                        input.count
                    )
                }
            }
        }
        guard ZSTD_isError(status) == 0 else { throw ZstdFailure.error(status, in: frame) }
        guard status == frame.content.count else { throw ZstdFailure.size(status, of: frame) }
    }
}

/// What the codes of libzstd mean here.
enum ZstdFailure {
    static func error(_ status: Int, in frame: ZstdFrameTable.Frame) -> CheckpointError {
        let code: CheckpointError.Code =
            switch ZSTD_getErrorCode(status) {
            case ZSTD_error_checksum_wrong: .zstdChecksum
            case ZSTD_error_dstSize_tooSmall: .zstdSize
            case ZSTD_error_srcSize_wrong: .zstdTruncated
            case ZSTD_error_frameParameter_windowTooLarge: .zstdWindow
            case ZSTD_error_dictionary_wrong: .zstdDictionary
            case ZSTD_error_memory_allocation: .limitMemory
            default: .zstdCorrupt
            }
        return CheckpointError(
            code,
            "the frame cannot be unpacked: \(unsafe String(cString: ZSTD_getErrorName(status)))",
            offset: UInt64(frame.packed.lowerBound)
        )
    }

    static func size(_ found: Int, of frame: ZstdFrameTable.Frame) -> CheckpointError {
        CheckpointError(
            .zstdSize,
            "the frame does not unpack to what it promises",
            offset: UInt64(frame.packed.lowerBound),
            expected: "\(frame.content.count) bytes",
            found: "\(found)"
        )
    }
}
