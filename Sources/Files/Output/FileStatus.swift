#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What the system says of a file or folder.
struct FileStatus: Equatable {
    /// Which file it is, whatever it is called.
    struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    let identity: Identity
    let byteCount: Int
    let mode: mode_t
    let isFolder: Bool
    let isRegular: Bool
    /// When content, name or permissions last changed: seconds and nanoseconds.
    let changed: [Int]

    init(_ values: stat) {
        identity = Identity(
            device: UInt64(truncatingIfNeeded: values.st_dev),
            inode: UInt64(values.st_ino)
        )
        byteCount = Int(values.st_size)
        mode = values.st_mode & 0o7777
        isFolder = values.st_mode & S_IFMT == S_IFDIR
        isRegular = values.st_mode & S_IFMT == S_IFREG
        #if canImport(Darwin)
        changed = [values.st_ctimespec.tv_sec, values.st_ctimespec.tv_nsec]
        #else
        changed = [values.st_ctim.tv_sec, values.st_ctim.tv_nsec]
        #endif
    }

    /// Returns the status of what a path leads to, links followed; `nil` if there is nothing.
    init?(following path: String) {
        var values = stat()
        guard unsafe stat(path, &values) == 0 else { return nil }
        self.init(values)
    }

    /// Returns the status of what is at a path, a link itself included; `nil` if nothing is.
    init?(at path: String) {
        var values = stat()
        guard unsafe lstat(path, &values) == 0 else { return nil }
        self.init(values)
    }

    /// Returns the status of an entry of a folder, a link itself included; `nil` if none is.
    init?(of entry: String, in folder: Descriptor, following: Bool = false) {
        var values = stat()
        let flags = following ? 0 : AT_SYMLINK_NOFOLLOW
        guard unsafe fstatat(folder.number, entry, &values, flags) == 0 else { return nil }
        self.init(values)
    }
}
