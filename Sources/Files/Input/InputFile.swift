#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A regular file that is read by position, through one descriptor that stays open.
///
/// The file is not mapped: a file that is cut while it is mapped kills the process. Reads may come
/// from any thread.
public final class InputFile: ByteSource {
    /// The last component of the path.
    public let fileName: String
    /// The length when it was opened.
    public let byteCount: Int
    /// The file and its state when it was opened.
    package let identity: FileIdentity
    private let descriptor: Int32

    /// Opens the file at a path that the user gave; links are followed.
    /// - Throws: `file.missing`, `file.unreadable`, `file.notRegular` or `file.io`.
    public convenience init(at path: String) throws(CheckpointError) {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        guard !path.utf8.contains(0) else {
            throw CheckpointError(.fileMissing, "there is no such file", file: name)
        }
        // O_NONBLOCK: a FIFO without a writer must not hold us up.
        let descriptor = retryingInterrupted {
            unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        }
        guard descriptor >= 0 else {
            throw CheckpointError.system(errno, "cannot be opened", file: name)
        }
        try self.init(descriptor: descriptor, fileName: name)
    }

    /// Takes over an open descriptor, and closes it even if this throws.
    init(descriptor: Int32, fileName: String) throws(CheckpointError) {
        do throws(CheckpointError) {
            let identity = try FileIdentity(descriptor: descriptor, fileName: fileName)
            guard identity.isRegularFile, identity.byteCount >= 0 else {
                throw CheckpointError(
                    .fileNotRegular,
                    "not a regular file but \(identity.kind)",
                    file: fileName
                )
            }
            self.identity = identity
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.fileName = fileName
        byteCount = identity.byteCount
    }

    deinit {
        close(descriptor)
    }

    /// Fills `bytes` from the byte at `offset` on.
    public func read(at offset: Int, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        let count = bytes.byteCount
        precondition(
            offset >= 0 && count <= byteCount && offset <= byteCount - count,
            "bytes \(offset)..<\(offset) + \(count) of a file of \(byteCount)"
        )
        let outcome: (done: Int, systemError: Int32) = unsafe bytes.withUnsafeMutableBytes {
            buffer in
            var done = 0
            while done < count {
                let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                let result = unsafe pread(
                    descriptor,
                    part.baseAddress,
                    // Linux reads at most 2 GiB at once, macOS refuses more.
                    min(part.count, 1 << 30),
                    off_t(offset + done)
                )
                if result > 0 {
                    done += result
                } else if result == 0 {
                    return (done, 0)
                } else if errno != EINTR {
                    return (done, errno)
                }
            }
            return (done, 0)
        }
        guard outcome.systemError == 0 else {
            throw CheckpointError(
                .fileIo,
                "cannot be read: \(CheckpointError.systemMessage(outcome.systemError))",
                file: fileName,
                offset: UInt64(offset + outcome.done),
                systemError: outcome.systemError
            )
        }
        guard outcome.done == count else {
            throw CheckpointError(
                .fileChanged,
                "the file became shorter while it was read",
                file: fileName,
                offset: UInt64(offset + outcome.done)
            )
        }
    }

    /// Maps all bytes for reading; the mapping outlives the file.
    @unsafe
    func mapped() -> UnsafeMutableRawPointer? {
        unsafe mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
    }

    /// Throws `file.changed` if size or modification time differ from when the file was opened.
    package func checkUnchanged() throws(CheckpointError) {
        let now = try FileIdentity(descriptor: descriptor, fileName: fileName)
        guard now == identity else {
            throw CheckpointError(
                .fileChanged,
                "the file changed while it was read",
                file: fileName,
                expected: "\(byteCount) bytes, unmodified",
                found: "\(now.byteCount) bytes, modified"
            )
        }
    }
}

/// Repeats a system call that a signal interrupted.
func retryingInterrupted(_ call: () -> Int32) -> Int32 {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
