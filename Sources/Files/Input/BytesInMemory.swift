/// Bytes that are in memory already, readable like a file.
public struct BytesInMemory: ByteSource {
    /// The name to print in errors.
    public let fileName: String
    /// The bytes.
    public let bytes: [UInt8]

    /// Gives bytes a name.
    public init(_ bytes: [UInt8], fileName: String) {
        self.bytes = bytes
        self.fileName = fileName
    }

    /// The number of bytes.
    public var byteCount: Int { bytes.count }

    /// Fills `bytes` from the byte at `offset` on.
    public func read(at offset: Int, into bytes: inout MutableRawSpan) throws(CheckpointError) {
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
