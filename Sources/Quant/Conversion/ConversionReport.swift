public import CheckpointIO

/// What a conversion did.
public struct ConversionReport: Sendable {
    /// One tensor and what became of it.
    public struct Tensor: Sendable {
        /// What was planned for it, and done.
        public let plan: ConversionPlan.Tensor
        /// The bytes it fills now, side tensors included, without compression.
        public let outputByteCount: Int
        /// How far the codes are from the weights; nil unless it was measured.
        public let distortion: Distortion?
        /// Finite, non-zero values that became zero in a narrower type; 0 if the type is the same.
        public let flushedToZeroCount: Int
    }

    /// One file of weights that was written.
    public struct File: Sendable {
        /// Its name, for example `model.safetensors.zst`.
        public let name: String
        /// Its bytes, as they are on the disk.
        public let byteCount: Int
        /// Its bytes before compression.
        public let unpackedByteCount: Int
        /// Whether an earlier, stopped run wrote it; its tensors' errors are those of that run.
        public let isResumed: Bool
    }

    /// All tensors of the source, in its order.
    public let tensors: [Tensor]
    /// The files of weights, in order of their numbers.
    public let files: [File]
    /// The digests of all files, in order of their names' bytes: what `SHA256SUMS` says.
    public let checksums: [ChecksumFile.Entry]
    /// What is worth knowing; those of the plan included.
    public let warnings: [CheckpointWarning]
    /// What was noted of weights that were split.
    package var notes: [Name: JSONObject] = [:]

    /// Bytes of all files of weights.
    public var fileByteCount: Int { files.reduce(0) { $0 + $1.byteCount } }
    /// The errors of all measured tensors together; nil if none was.
    public var distortion: Distortion? {
        tensors.compactMap(\.distortion).reduce(nil) { $0?.adding($1) ?? $1 }
    }
}
