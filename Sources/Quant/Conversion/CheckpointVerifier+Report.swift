public import CheckpointIO

extension CheckpointVerifier {
    /// What was found.
    public struct Report: Sendable {
        /// One tensor.
        public struct Tensor: Sendable {
            /// Its name.
            public let name: Name
            /// The shape of the weight, `[N, K]` where it is a matrix.
            public let shape: [Int]
            /// How it is stored, for tables: `nf4, 64, nested`, or the type of floats.
            public let storage: String
            /// The bytes it fills, side tensors included.
            public let storedByteCount: Int
            /// How it is quantized; nil if it is not.
            public let config: QuantizationConfig?
            /// How far it is from its source; nil without one, or for a tensor of no float type.
            public let distortion: Distortion?

            /// The numbers it holds.
            public var elementCount: Int { shape.reduce(1, *) }
        }

        /// The tensors without side tensors, in the order of the file.
        public let tensors: [Tensor]
        /// What is wrong, in the order of the file; at most `CheckpointVerifier.findingLimit`.
        public let findings: [CheckpointError]
        /// What is odd, but no defect.
        public let warnings: [CheckpointWarning]
        /// The files that were compared with `SHA256SUMS`; nil if the folder has none.
        public let checkedFileCount: Int?
        /// The tensors whose relative RMSE is above the limit, in the order of the file.
        public let tensorsAboveLimit: [Name]

        /// Whether nothing is wrong; a limit that was asked for is another matter.
        public var isSound: Bool { findings.isEmpty }
        /// The errors of all quantized tensors together; nil if none was measured.
        public var distortion: Distortion? {
            tensors.filter { $0.config != nil }.compactMap(\.distortion)
                .reduce(nil) { $0?.adding($1) ?? $1 }
        }
    }
}
