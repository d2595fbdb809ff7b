internal import Crypto
internal import Foundation
internal import Synchronization
public import Tensors

/// The digest of a file that several threads can compute: SHA-256 over the SHA-256s of its pieces.
///
/// The file is cut into pieces of 8 MiB, the last one shorter; the digest is the SHA-256 of the
/// pieces' 32-byte SHA-256s in order. An empty file has no piece. So it is not what `sha256sum`
/// prints, except that both change when any byte does.
public struct PieceDigest: Hashable, Sendable {
    /// The bytes of one piece but the last.
    public static let pieceByteCount = 8 << 20

    /// 64 lower-case hexadecimal digits.
    public let hexadecimal: String

    init(hexadecimal: String) {
        self.hexadecimal = hexadecimal
    }

    /// Computes the digest of everything in a source.
    /// - Throws: what reading throws; `limit.memory`.
    public init(
        of source: any ByteSource,
        parallel: ParallelLoop = .serial,
        budget: MemoryBudget? = nil
    ) throws(CheckpointError) {
        let byteCount = source.byteCount
        let pieceCount = (byteCount + Self.pieceByteCount - 1) / Self.pieceByteCount
        let digests = Mutex([SHA256Digest?](repeating: nil, count: pieceCount))
        try parallel.forEach(pieceCount) { index throws(CheckpointError) in
            let digest = try Self.piece(index, of: source, byteCount: byteCount, budget: budget)
            digests.withLock { $0[index] = digest }
        }
        var whole = SHA256()
        for digest in digests.withLock({ $0 }) {
            guard let digest else { preconditionFailure("the loop left an iteration out") }
            unsafe digest.withUnsafeBytes { unsafe whole.update(bufferPointer: $0) }
        }
        hexadecimal = Self.text(of: whole.finalize())
    }

    /// The SHA-256 of a few bytes, as `sha256sum` prints it.
    public static func sha256(of bytes: RawSpan) -> String {
        var hash = SHA256()
        unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        return text(of: hash.finalize())
    }

    private static func piece(
        _ index: Int,
        of source: any ByteSource,
        byteCount: Int,
        budget: MemoryBudget?
    ) throws(CheckpointError) -> SHA256Digest {
        let end = min((index + 1) * pieceByteCount, byteCount)
        // A part at a time stays in the second-level cache between reading and hashing.
        let partByteCount = 256 << 10
        var part = try AlignedBuffer.allocate(
            byteCount: min(partByteCount, byteCount),
            budget: budget
        )
        var hash = SHA256()
        var offset = index * pieceByteCount
        while offset < end {
            let count = min(partByteCount, end - offset)
            try part.withMutablePrefix(count) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try source.read(at: offset, into: &bytes)
                unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
            }
            offset += count
        }
        return hash.finalize()
    }

    private static func text(of digest: SHA256Digest) -> String {
        digest.map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }
}
