internal import CZstd
internal import Files
internal import Machine
internal import Synchronization
internal import Tensors

/// One frame on its way: read, packed, written; used again for the next wave.
///
/// `@safe`: context and buffers never leave the lock.
@safe
final class ZstdFrameSlot: Sendable {
    @safe
    private struct State: ~Copyable, @unchecked Sendable {
        // The context belongs to this state alone.
        let context: OpaquePointer
        var raw: AlignedBuffer
        var packed: AlignedBuffer
        var packedByteCount = 0
        var rawByteCount = 0

        deinit { unsafe ZSTD_freeCCtx(context) }

        mutating func pack(
            _ range: Range<Int>,
            of source: any ByteSource
        ) throws(CheckpointError) {
            let context = unsafe self.context
            try raw.withMutablePrefix(range.count) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try source.read(at: range.lowerBound, into: &bytes)
            }
            let status = raw.withBytes { content in
                packed.withMutableBytes { output in
                    unsafe content.withUnsafeBytes { content in
                        unsafe output.withUnsafeMutableBytes { output in
                            unsafe ZSTD_compress2(
                                context,
                                output.baseAddress,
                                output.count,
                                content.baseAddress,
                                range.count
                            )
                        }
                    }
                }
            }
            guard ZSTD_isError(status) == 0 else {
                // The output is as large as it can get, so only memory is left to fail.
                throw CheckpointError(
                    .limitMemory,
                    "zstd failed: \(unsafe String(cString: ZSTD_getErrorName(status)))"
                )
            }
            packedByteCount = status
            rawByteCount = range.count
        }
    }

    private let state: Mutex<State>

    init(level: Int, budget: MemoryBudget?) throws(CheckpointError) {
        let raw = try AlignedBuffer.allocate(
            byteCount: ZstdWriter.frameByteCount,
            budget: budget
        )
        let packed = try AlignedBuffer.allocate(
            byteCount: ZSTD_compressBound(ZstdWriter.frameByteCount),
            budget: budget
        )
        guard let context = unsafe ZSTD_createCCtx() else {
            throw CheckpointError(.limitMemory, "no memory for a zstd encoder")
        }
        for (parameter, value) in [
            (ZSTD_c_compressionLevel, Int32(level)), (ZSTD_c_contentSizeFlag, 1),
            (ZSTD_c_checksumFlag, 1),
        ] {
            let status = unsafe ZSTD_CCtx_setParameter(context, parameter, value)
            precondition(ZSTD_isError(status) == 0, "zstd refuses a parameter")
        }
        state = unsafe Mutex(State(context: context, raw: raw, packed: packed))
    }

    /// Reads a part of a file and packs it.
    func pack(
        _ range: Range<Int>,
        of source: any ByteSource
    ) throws(CheckpointError) {
        try state.withLock { (state: inout State) throws(CheckpointError) in
            try state.pack(range, of: source)
        }
    }

    /// What the seek table says of the packed frame.
    ///
    /// Its checksum is the frame's own last field.
    var entry: ZstdSeekTable.Entry {
        state.withLock { state in
            let count = state.packedByteCount
            let checksum = state.packed.withBytes { bytes in
                (0..<4).reduce(UInt32(0)) { sum, index in
                    let byte = unsafe bytes.unsafeLoadUnaligned(
                        fromByteOffset: count - 4 + index,
                        as: UInt8.self
                    )
                    return sum | UInt32(byte) << UInt32(8 * index)
                }
            }
            return ZstdSeekTable.Entry(
                packedByteCount: UInt32(count),
                contentByteCount: UInt32(state.rawByteCount),
                checksum: checksum
            )
        }
    }

    /// Writes the packed frame.
    func write(to file: OutputFile, at offset: Int) throws(CheckpointError) {
        try state.withLock { (state: inout State) throws(CheckpointError) in
            let count = state.packedByteCount
            try state.packed.withBytes { (bytes) throws(CheckpointError) in
                try file.write(bytes.extracting(0..<count), at: offset)
            }
        }
    }
}
