public import Machine

/// The SHA-256 of a whole file, as `sha256sum` prints it.
public struct FileDigest: Hashable, Sendable {
    /// 64 lower-case hexadecimal digits.
    public let hexadecimal: String

    /// Takes over a digest that was written down; nil unless it is 64 hexadecimal digits.
    init?(hexadecimal: String) {
        let digits = hexadecimal.lowercased()
        guard digits.utf8.count == 64,
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.hexadecimal = digits
    }

    /// Computes the digest of everything in a source, on the calling thread.
    /// - Throws: what reading throws; `limit.memory`.
    public init(
        of source: any ByteSource,
        budget: MemoryBudget? = nil
    ) throws(CheckpointError) {
        // A part at a time stays in the second-level cache between reading and hashing.
        let partByteCount = 256 << 10
        let byteCount = source.byteCount
        var part = try AlignedBuffer.allocate(
            byteCount: min(partByteCount, byteCount),
            budget: budget
        )
        var hash = SHA256Hash()
        var offset = 0
        while offset < byteCount {
            let count = min(partByteCount, byteCount - offset)
            try part.withMutablePrefix(count) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try source.read(at: offset, into: &bytes)
            }
            part.withPrefix(count) { hash.update($0) }
            offset += count
        }
        hexadecimal = Self.text(of: hash.finish())
    }

    /// Computes the digest of bytes in memory.
    public init(of bytes: RawSpan) {
        var hash = SHA256Hash()
        hash.update(bytes)
        hexadecimal = Self.text(of: hash.finish())
    }

    private static func text(of digest: [UInt8]) -> String {
        digest.map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }
}
