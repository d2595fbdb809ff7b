/// Bytes that are in memory already, readable like a file.
package struct BytesInMemory: ByteSource {
    /// The name to print in errors.
    package let fileName: String
    /// The bytes.
    package let bytes: [UInt8]

    /// Gives bytes a name.
    package init(_ bytes: [UInt8], fileName: String) {
        self.bytes = bytes
        self.fileName = fileName
    }

    /// The number of bytes.
    package var byteCount: Int { bytes.count }

    /// Fills `bytes` from the byte at `offset` on.
    package func read(at offset: Int, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        let range = offset..<offset + bytes.byteCount
        precondition(
            range.lowerBound >= 0 && range.upperBound <= byteCount,
            "bytes \(range) of \(byteCount)"
        )
        unsafe bytes.withUnsafeMutableBytes { target in
            unsafe self.bytes.withUnsafeBytes { source in
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[range]))
            }
        }
    }
}
