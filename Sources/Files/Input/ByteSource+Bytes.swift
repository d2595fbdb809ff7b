extension ByteSource {
    /// Returns the bytes of a range.
    ///
    /// - Precondition: the range lies within the file, and whoever calls has bounded its length.
    /// - Throws: as `read(at:into:)`.
    package func bytes(in range: Range<Int>) throws(CheckpointError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        let failure: CheckpointError? = unsafe bytes.withUnsafeMutableBytes { buffer in
            var span = unsafe MutableRawSpan(_unsafeBytes: buffer)
            do throws(CheckpointError) {
                try read(at: range.lowerBound, into: &span)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Returns all bytes of a small file.
    ///
    /// - Parameter limit: the largest length allowed.
    /// - Returns: the bytes; at least one.
    /// - Throws: `file.empty`, `limit.fileSize`, or as `read(at:into:)`.
    package func wholeText(limit: Int) throws(CheckpointError) -> [UInt8] {
        guard byteCount > 0 else {
            throw CheckpointError(.fileEmpty, "the file is empty", file: fileName)
        }
        guard byteCount <= limit else {
            throw CheckpointError(
                .limitFileSize,
                "the file is larger than this kind of file may be",
                file: fileName,
                expected: "at most \(limit) bytes",
                found: "\(byteCount) bytes"
            )
        }
        return try bytes(in: 0..<byteCount)
    }
}
