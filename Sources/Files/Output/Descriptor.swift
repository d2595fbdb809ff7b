internal import CSystem
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// An open file or folder of the system: closed once, at the latest when nobody refers to it.
///
/// Every call retries when a signal interrupts it, and throws with the file's name otherwise.
final class Descriptor: Sendable {
    /// The system's number.
    let number: Int32
    /// The name to print.
    let name: String
    private let isOpen = Atomic<Bool>(true)

    private init(number: Int32, name: String) {
        self.number = number
        self.name = name
    }

    deinit {
        if isOpen.load(ordering: .acquiring) { _ = Self.closing(number) }
    }

    /// Opens a path below a folder, or from the working folder.
    /// - Returns: the descriptor, or the error number for the caller to judge.
    static func open(
        _ path: String,
        below folder: Descriptor? = nil,
        flags: Int32,
        mode: mode_t = 0o600,
        name: String
    ) -> Result<Descriptor, SystemError> {
        while true {
            let number = unsafe openat(
                folder?.number ?? AT_FDCWD,
                path,
                flags | O_CLOEXEC,
                mode
            )
            if number >= 0 { return .success(Descriptor(number: number, name: name)) }
            let failure = errno
            if failure != EINTR { return .failure(SystemError(number: failure)) }
        }
    }

    /// Writes all bytes at an offset.
    func write(_ bytes: RawSpan, at offset: Int) throws(CheckpointError) {
        try requirePermitted(offset + bytes.byteCount, "write")
        var done = 0
        while done < bytes.byteCount {
            let rest = bytes.extracting(done...)
            // Linux transfers at most 2 GiB - 4 KiB in one call, macOS fails beyond 2 GiB - 1.
            let count = unsafe rest.withUnsafeBytes { buffer in
                unsafe pwrite(
                    number,
                    buffer.baseAddress,
                    min(buffer.count, 1 << 30),
                    off_t(offset + done)
                )
            }
            if count > 0 {
                done += count
            } else if count == 0 {
                throw .systemCall(EIO, "write", file: name)
            } else if errno != EINTR {
                throw .systemCall(errno, "write", file: name)
            }
        }
    }

    /// Fills bytes from an offset on.
    /// - Throws: `file.changed` if the file ends before.
    func read(at offset: Int, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        var done = 0
        let wanted = bytes.byteCount
        while done < wanted {
            let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(
                    number,
                    buffer.baseAddress?.advanced(by: done),
                    min(wanted - done, 1 << 30),
                    off_t(offset + done)
                )
            }
            if count > 0 {
                done += count
            } else if count == 0 {
                throw CheckpointError(
                    .fileChanged,
                    "the file ended while it was read",
                    file: name,
                    offset: UInt64(offset + done)
                )
            } else if errno != EINTR {
                throw .systemCall(errno, "read", file: name)
            }
        }
    }

    /// The length, identity and mode of the file.
    func status() throws(CheckpointError) -> FileStatus {
        var values = stat()
        guard unsafe fstat(number, &values) == 0 else {
            throw .systemCall(errno, "look at the file", file: name)
        }
        return FileStatus(values)
    }

    /// Reserves space for the whole file, so that a full disk fails now; where the file system
    /// cannot, does nothing.
    func reserve(byteCount: Int) throws(CheckpointError) {
        guard byteCount > 0 else { return }
        try requirePermitted(byteCount, "reserve \(byteCount) bytes")
        let failure = cs_preallocate(number, Int64(byteCount))
        guard failure == 0 || failure == ENOTSUP else {
            throw .systemCall(failure, "reserve \(byteCount) bytes", file: name)
        }
    }

    /// The bytes that this user may still write on the file system; nil where it does not tell.
    var freeByteCount: Int? {
        var values = statvfs()
        guard unsafe fstatvfs(number, &values) == 0, values.f_blocks > 0 else { return nil }
        let (count, overflow) = Int(clamping: values.f_bavail)
            .multipliedReportingOverflow(by: Int(clamping: values.f_frsize))
        return overflow ? .max : count
    }

    /// Cuts or extends the file to a length.
    func truncate(byteCount: Int) throws(CheckpointError) {
        try requirePermitted(byteCount, "set the length")
        while ftruncate(number, off_t(byteCount)) != 0 {
            if errno != EINTR { throw .systemCall(errno, "set the length", file: name) }
        }
    }

    /// Checks that the file may have a size.
    ///
    /// Nothing is tried beyond the limit: it would send a signal that ends the process, and how a process
    /// treats signals is not a library's business.
    private func requirePermitted(_ byteCount: Int, _ action: String) throws(CheckpointError) {
        guard byteCount <= cs_file_size_limit() else {
            throw .systemCall(EFBIG, action, file: name)
        }
    }

    /// Sets the permission bits.
    func setMode(_ mode: mode_t) throws(CheckpointError) {
        while fchmod(number, mode) != 0 {
            if errno != EINTR { throw .systemCall(errno, "set the permissions", file: name) }
        }
    }

    /// Lets the medium begin with what was written so far, while more is computed.
    func startWriteback() { cs_start_writeback(number) }

    /// Brings everything written to the medium.
    ///
    /// A failure is final: the pages may be gone, and a second attempt would report success.
    func synchronize() throws(CheckpointError) {
        let failure = cs_synchronize(number)
        guard failure == 0 else { throw .systemCall(failure, "synchronize", file: name) }
    }

    /// Takes the exclusive lock of the file, without waiting.
    /// - Returns: 0, or the error number.
    func lock() -> Int32 {
        while flock(number, LOCK_EX | LOCK_NB) != 0 {
            if errno != EINTR { return errno }
        }
        return 0
    }

    /// Closes the file; the error of a delayed write may show here.
    func close() throws(CheckpointError) {
        guard isOpen.exchange(false, ordering: .acquiringAndReleasing) else { return }
        let failure = Self.closing(number)
        // Interrupted or not, the descriptor is gone, and everything was synchronized before.
        guard failure == 0 || failure == EINTR else {
            throw .systemCall(failure, "close", file: name)
        }
    }

    private static func closing(_ number: Int32) -> Int32 {
        #if canImport(Glibc)
        Glibc.close(number) == 0 ? 0 : errno
        #elseif canImport(Musl)
        Musl.close(number) == 0 ? 0 : errno
        #else
        Darwin.close(number) == 0 ? 0 : errno
        #endif
    }
}

/// An error number of the system.
struct SystemError: Error, Equatable {
    let number: Int32
}
