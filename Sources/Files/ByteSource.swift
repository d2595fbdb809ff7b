/// Random access to the bytes of one file, whatever it is stored in.
///
/// An ordinary file, a mapped one, and the unpacked content of a zstd file all look like this to
/// the readers of formats. Reads may come from several threads at once.
public protocol ByteSource: Sendable {
    /// The name to print in errors: the last path component, below the opened folder.
    var fileName: String { get }

    /// The length in bytes, fixed when the source was opened.
    var byteCount: Int { get }

    /// Fills `bytes` from the byte at `offset` on.
    /// - Precondition: the range lies within `0..<byteCount`.
    /// - Throws: `file.changed` on a short read, `file.io` with the system's error, or what is
    ///   wrong with the packed data.
    func read(at offset: Int, into bytes: inout MutableRawSpan) throws(CheckpointError)
}
