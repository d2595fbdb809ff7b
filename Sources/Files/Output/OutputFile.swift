internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// One file of an output that is being written: any bytes in any order, from any thread.
///
/// It is also a `ByteSource`, so that what was written can be digested or compressed before it is
/// finished.
package final class OutputFile: ByteSource {
    /// The name below the output folder.
    package let fileName: String
    private let descriptor: Descriptor
    private let finalMode: mode_t
    private let state: Mutex<State>

    private struct State {
        var byteCount: Int
        /// Bytes in the page cache that the medium was not asked to write yet.
        var waitingByteCount = 0
        var isFinished = false
    }

    /// After so many bytes the medium is asked to begin: `finish` would otherwise wait for all of
    /// them, with nothing left to compute meanwhile.
    private static let writebackByteCount = 16 << 20

    /// Takes a file that was just created; a length that is known is reserved at once.
    init(_ descriptor: Descriptor, finalMode: mode_t, byteCount: Int?) throws(CheckpointError) {
        fileName = descriptor.name
        self.descriptor = descriptor
        self.finalMode = finalMode
        state = Mutex(State(byteCount: byteCount ?? 0))
        if let byteCount { try descriptor.reserve(byteCount: byteCount) }
    }

    /// The length as far as it is known: what was reserved, or the end of the last byte written.
    package var byteCount: Int { state.withLock { $0.byteCount } }

    /// Whether everything is on the medium and the file is closed.
    package var isFinished: Bool { state.withLock { $0.isFinished } }

    /// Writes bytes at an offset, from any thread.
    /// - Precondition: not finished; `offset >= 0`. Two threads do not write the same byte.
    /// - Throws: `file.io` with the system's error.
    package func write(_ bytes: RawSpan, at offset: Int) throws(CheckpointError) {
        precondition(offset >= 0, "offset \(offset) in \(fileName)")
        state.withLock { state in
            precondition(!state.isFinished, "\(fileName) is finished")
            state.byteCount = max(state.byteCount, offset + bytes.byteCount)
        }
        try descriptor.write(bytes, at: offset)
        let isDue = state.withLock { state in
            state.waitingByteCount += bytes.byteCount
            guard state.waitingByteCount >= OutputFile.writebackByteCount else { return false }
            state.waitingByteCount = 0
            return true
        }
        if isDue { descriptor.startWriteback() }
    }

    /// Reads back bytes that were written.
    /// - Throws: `file.io`, or `file.changed` if they were not.
    package func read(at offset: Int, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        try descriptor.read(at: offset, into: &bytes)
    }

    /// Cuts the file: what was reserved and not needed goes.
    /// - Precondition: not finished.
    package func truncate(byteCount: Int) throws(CheckpointError) {
        state.withLock { state in
            precondition(!state.isFinished, "\(fileName) is finished")
            state.byteCount = byteCount
        }
        try descriptor.truncate(byteCount: byteCount)
    }

    /// Brings everything written so far to the medium.
    func synchronize() throws(CheckpointError) { try descriptor.synchronize() }

    /// Sets the final permissions, brings everything to the medium and closes the file.
    ///
    /// After a failure the file is worthless and is not tried again: what the system could not
    /// write it may have dropped.
    package func finish() throws(CheckpointError) {
        let wasFinished = state.withLock { state in
            defer { state.isFinished = true }
            return state.isFinished
        }
        precondition(!wasFinished, "\(fileName) is finished twice")
        try descriptor.setMode(finalMode)
        try descriptor.synchronize()
        try descriptor.close()
    }

    /// Closes the file without caring for its content.
    func discard() {
        state.withLock { $0.isFinished = true }
        try? descriptor.close()
    }
}
