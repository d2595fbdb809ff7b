#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// `lock` in a temporary folder: who is at work, and what it has made there.
///
/// The first line is the process, each further one the path of a file that the run makes. A name is
/// on the medium here before the file is there, so whatever a dead process left can be told from
/// what somebody else put beside it.
final class LockFile: Sendable {
    static let fileName = "lock"
    private static let byteCountLimit = 16 << 20

    private let descriptor: Descriptor

    /// Takes over the open, locked file: the process is this one, the paths stay.
    init(_ descriptor: Descriptor, paths: [String]) throws(CheckpointError) {
        self.descriptor = descriptor
        let text = Array((["\(getpid())"] + paths).map { $0 + "\n" }.joined().utf8)
        try text.withRawSpan { (bytes) throws(CheckpointError) in
            try descriptor.write(bytes, at: 0)
        }
        try descriptor.truncate(byteCount: text.count)
        try descriptor.synchronize()
    }

    /// Adds paths, before the files are made.
    func announce(_ paths: [String]) throws(CheckpointError) {
        guard !paths.isEmpty else { return }
        let text = Array(paths.map { $0 + "\n" }.joined().utf8)
        let end = try descriptor.status().byteCount
        try text.withRawSpan { (bytes) throws(CheckpointError) in
            try descriptor.write(bytes, at: end)
        }
        try descriptor.synchronize()
    }

    func close() throws(CheckpointError) { try descriptor.close() }

    /// What a lock file says.
    struct Content {
        let process: String
        let paths: [String]
    }

    /// Reads the lock file of a folder; nil if there is none, or it is not one of this library.
    static func content(in folder: Descriptor) -> Content? {
        guard
            case .success(let file) = Descriptor.open(
                fileName,
                below: folder,
                flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
                name: fileName
            ), let status = try? file.status(), status.isRegular,
            status.byteCount <= byteCountLimit
        else { return nil }
        var text = [UInt8](repeating: 0, count: status.byteCount)
        let isRead = text.withMutableRawSpan { (try? file.read(at: 0, into: &$0)) != nil }
        let lines = text.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
        // A run that died at once leaves an empty file.
        if text.isEmpty { return Content(process: "", paths: []) }
        guard isRead, let process = lines.first, Int32(process) != nil else { return nil }
        return Content(process: process, paths: Array(lines.dropFirst()))
    }
}
