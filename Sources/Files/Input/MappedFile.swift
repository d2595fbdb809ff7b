#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A file whose bytes are mapped into memory: what is not read takes none.
///
/// A file that is cut while it is mapped kills the process with SIGBUS, so whatever writes files
/// reads its inputs through `InputFile`.
@safe
package final class MappedFile: @unchecked Sendable {
    // Sendable: the mapping is read-only, and lives from init to deinit.
    private let mapping: UnsafeRawBufferPointer

    /// Maps a file that is open; the mapping outlives it.
    /// - Throws: `file.io` if the system refuses to map it.
    package init(_ file: InputFile) throws(CheckpointError) {
        let byteCount = file.byteCount
        guard byteCount > 0 else {
            unsafe mapping = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let address = unsafe file.mapped(), unsafe address != MAP_FAILED else {
            throw CheckpointError(
                .fileIo,
                "cannot be mapped: \(CheckpointError.systemMessage(errno))",
                file: file.fileName,
                systemError: errno
            )
        }
        unsafe mapping = UnsafeRawBufferPointer(start: address, count: byteCount)
    }

    deinit {
        if let address = unsafe mapping.baseAddress {
            unsafe munmap(UnsafeMutableRawPointer(mutating: address), mapping.count)
        }
    }

    /// Calls `body` with the bytes of a range, in place.
    /// - Precondition: the range lies within the file.
    func withBytes<Result, Failure: Error>(
        in range: Range<Int>,
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(
            unsafe range.lowerBound >= 0 && range.upperBound <= mapping.count,
            "bytes \(range) of a file that ends before"
        )
        return try unsafe body(
            RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: mapping[range]))
        )
    }
}

/// The elements of a tensor where they lie in their file, mapped into memory.
package struct MappedElements: Sendable {
    private let file: MappedFile
    private let range: Range<Int>

    package init(_ file: MappedFile, _ range: Range<Int>) {
        self.file = file
        self.range = range
    }

    /// Calls `body` with the bytes of all elements; they begin anywhere.
    package func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try file.withBytes(in: range, body)
    }
}
