#if canImport(Glibc)
package import Glibc
#else
internal import Darwin
#endif

/// Which file a descriptor leads to, and in which state.
package struct FileIdentity: Hashable, Sendable {
    package let device: UInt64
    package let inode: UInt64
    package let byteCount: Int
    package let modificationSeconds: Int
    package let modificationNanoseconds: Int
    /// The type and permission bits.
    package let mode: UInt32

    package init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
        byteCount = Int(status.st_size)
        #if canImport(Glibc)
        modificationSeconds = status.st_mtim.tv_sec
        modificationNanoseconds = status.st_mtim.tv_nsec
        #else
        modificationSeconds = status.st_mtimespec.tv_sec
        modificationNanoseconds = status.st_mtimespec.tv_nsec
        #endif
        mode = UInt32(status.st_mode)
    }

    /// Returns the identity of what a descriptor leads to.
    /// - Throws: `file.io`.
    package init(descriptor: Int32, fileName: String) throws(CheckpointError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw CheckpointError.system(errno, "cannot be examined", file: fileName)
        }
        self.init(status)
    }

    /// Whether it is a regular file.
    package var isRegularFile: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFREG) }
    /// Whether it is a folder.
    package var isFolder: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFDIR) }
    /// Whether it is a symbolic link.
    package var isLink: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFLNK) }

    /// What it is, in words.
    var kind: String {
        switch mode & UInt32(S_IFMT) {
        case UInt32(S_IFREG): "a regular file"
        case UInt32(S_IFDIR): "a folder"
        case UInt32(S_IFIFO): "a FIFO"
        case UInt32(S_IFSOCK): "a socket"
        case UInt32(S_IFCHR), UInt32(S_IFBLK): "a device"
        case UInt32(S_IFLNK): "a symbolic link"
        default: "something else"
        }
    }

    /// Whether both are the same file, in whatever state.
    package func isSameFile(as other: FileIdentity) -> Bool {
        device == other.device && inode == other.inode
    }
}

extension CheckpointError {
    /// Returns the error that a failed system call on an input stands for.
    package static func system(
        _ number: Int32,
        _ what: String,
        file: String
    ) -> CheckpointError {
        let code: Code
        switch number {
        case ENOENT, ENOTDIR, ENAMETOOLONG: code = .fileMissing
        case EACCES, EPERM, ELOOP: code = .fileUnreadable
        case ENXIO, EISDIR, ENODEV, EOPNOTSUPP: code = .fileNotRegular
        default: code = .fileIo
        }
        return CheckpointError(
            code,
            code == .fileMissing ? "there is no such file" : "\(what): \(systemMessage(number))",
            file: file,
            systemError: number
        )
    }

    /// The system's words for an error number.
    package static func systemMessage(_ number: Int32) -> String {
        unsafe String(cString: strerror(number))
    }
}
