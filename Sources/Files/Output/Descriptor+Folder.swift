#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

extension Descriptor {
    /// Returns the names in this folder in order of their bytes, without `.` and `..`.
    func entries() throws(CheckpointError) -> [String] {
        // The stream takes over its descriptor and its position, so it gets its own.
        let copy = unsafe openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard copy >= 0 else { throw .systemCall(errno, "list the folder", file: name) }
        guard let stream = unsafe fdopendir(copy) else {
            throw .systemCall(errno, "list the folder", file: name)
        }
        defer { unsafe closedir(stream) }
        var names: [Name] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let bytes = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe Array(bytes.prefix { $0 != 0 })
            }
            if bytes != [0x2E], bytes != [0x2E, 0x2E] { names.append(Name(utf8: bytes)) }
        }
        guard errno == 0 else { throw .systemCall(errno, "list the folder", file: name) }
        return names.sorted().map(\.text)
    }

    /// Makes a folder in this one, unless it is there.
    func makeFolder(_ path: String) throws(CheckpointError) {
        while unsafe mkdirat(number, path, 0o700) != 0 {
            if errno == EEXIST { return }
            if errno != EINTR { throw .systemCall(errno, "make the folder", file: path) }
        }
    }

    /// Removes an empty folder below this one.
    /// - Returns: 0, or the error number.
    func removeFolder(_ path: String) -> Int32 {
        while unsafe unlinkat(number, path, AT_REMOVEDIR) != 0 {
            if errno != EINTR { return errno }
        }
        return 0
    }

    /// Removes an entry of this folder that is not a folder.
    /// - Returns: 0, or the error number.
    func remove(_ entry: String) -> Int32 {
        while unsafe unlinkat(number, entry, 0) != 0 {
            if errno != EINTR { return errno }
        }
        return 0
    }
}
