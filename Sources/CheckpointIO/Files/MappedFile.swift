#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A file whose bytes are mapped into memory, for reading a model that runs.
///
/// A file that is cut while it is mapped kills the process with SIGBUS, so whatever writes files
/// reads its inputs through `InputFile`.
@safe
public final class MappedFile: ByteSource, @unchecked Sendable {
    // Sendable: the mapping is read-only, and lives from init to deinit.
    /// The last component of the path.
    public let fileName: String
    /// The length when it was opened.
    public let byteCount: Int
    private let mapping: UnsafeRawBufferPointer

    /// Maps the file at a path that the user gave.
    /// - Throws: as `InputFile.init(at:)`; `file.io` if the system refuses to map it.
    public init(at path: String) throws(CheckpointError) {
        let file = try InputFile(at: path)
        fileName = file.fileName
        byteCount = file.byteCount
        guard byteCount > 0 else {
            unsafe mapping = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let address = unsafe file.mapped(), unsafe address != MAP_FAILED else {
            throw CheckpointError(
                .fileIo,
                "cannot be mapped: \(CheckpointError.systemMessage(errno))",
                file: fileName,
                systemError: errno
            )
        }
        unsafe mapping = UnsafeRawBufferPointer(start: address, count: byteCount)
    }

    deinit {
        if let address = unsafe mapping.baseAddress {
            unsafe munmap(UnsafeMutableRawPointer(mutating: address), byteCount)
        }
    }

    /// Calls `body` with the bytes of a range, in place.
    /// - Precondition: the range lies within the file.
    public func withBytes<Result, Failure: Error>(
        in range: Range<Int>,
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= byteCount,
            "bytes \(range) of a file of \(byteCount)"
        )
        return try unsafe body(
            RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: mapping[range]))
        )
    }

    /// Fills `bytes` from the byte at `offset` on.
    public func read(at offset: Int, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        let range = offset..<offset + bytes.byteCount
        precondition(
            range.lowerBound >= 0 && range.upperBound <= byteCount,
            "bytes \(range) of a file of \(byteCount)"
        )
        unsafe bytes.withUnsafeMutableBytes { target in
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: mapping[range]))
        }
    }
}
