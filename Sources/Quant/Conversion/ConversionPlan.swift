public import CheckpointIO
public import Tensors

/// What becomes of one tensor.
public enum TensorAction: Sendable, Hashable {
    /// Why a tensor stays as it is.
    public enum KeepReason: String, Sendable, Hashable {
        /// No weight of a linear layer.
        case notLinear = "not a linear weight"
        /// The output head, which the layout keeps in full precision.
        case outputHead = "output head"
        /// It chooses experts, which loaders expect in full precision.
        case router = "router"
        /// Loaders expect it in full precision.
        case fullPrecision = "full precision"
        /// Options say so.
        case skipped = "skipped"
        /// It was not quantized.
        case plain = "not quantized"
        /// It was packed in a GGUF file.
        case unpacked = "unpacked"
        /// It holds NaN or infinity.
        case nonFinite = "not finite"
        /// Nothing is merged into it.
        case unchanged = "unchanged"
    }

    /// Copied byte for byte.
    case keep(KeepReason)
    /// Stays a float tensor, in another type.
    case convert(FloatDType, KeepReason)
    /// Quantized; `isTransposed` if the float weight is stored `[K, N]` (GPT-2).
    case quantize(QuantizationConfig, isTransposed: Bool)
    /// Turned back into floats; `isTransposed` if the float weight is stored `[K, N]`.
    case dequantize(QuantizationConfig, to: FloatDType, isTransposed: Bool)
    /// Written as floats with adapters merged into it.
    case merge(to: FloatDType)
    /// Written as floats without the part that is in an adapter.
    case residual(FloatDType)
    /// Read for the factors of an adapter, and not written.
    case adapt
}

extension TensorAction: CustomStringConvertible {
    /// A few words, for tables.
    public var description: String {
        switch self {
        case .keep(let reason): "kept (\(reason.rawValue))"
        case .convert(let dtype, let reason): "\(dtype.rawValue) (\(reason.rawValue))"
        case .quantize(let config, _): config.description
        case .dequantize(let config, let dtype, _): "\(config.format.rawValue) to \(dtype.rawValue)"
        case .merge(let dtype): "merged, \(dtype.rawValue)"
        case .residual(let dtype): "residual, \(dtype.rawValue)"
        case .adapt: "adapter"
        }
    }
}

/// What is going to happen, made before any work: every tensor, every file, and all sizes.
public struct ConversionPlan: Sendable {
    /// One tensor of the source, with the side tensors that belong to it.
    public struct Tensor: Sendable {
        /// Its name.
        public let name: Name
        /// The shape of the weight, `[N, K]` where it is a matrix; packed codes do not count.
        public let shape: [Int]
        /// The type as the source names it.
        public let sourceType: String
        /// The bytes it fills in the source, side tensors included.
        public let sourceByteCount: Int
        /// What becomes of it.
        public let action: TensorAction
        /// The bytes it will fill, side tensors included, without compression.
        ///
        /// Of quantization states with an unknown number the most they can be.
        public let outputByteCount: Int
        /// The bytes of its scales, tables and states among them.
        public let sideByteCount: Int
        /// The position in `files` of the one that gets its first byte.
        public let fileIndex: Int

        /// The numbers the weight holds.
        public var elementCount: Int { shape.reduce(1, *) }
    }

    /// One file of weights to be written.
    public struct File: Sendable {
        /// Its name.
        public let name: String
        /// Its length, header included, before compression; with quantization states at their
        /// longest.
        public let byteCount: Int
    }

    /// What makes a result that transformers and bitsandbytes can use everywhere.
    public enum Remedy: Sendable, Hashable {
        /// Convert with blocks of so many weights, which divide every row.
        case blockSize(Int)
        /// Convert again without the experts.
        case skipExperts
        /// Unpack the files.
        case unpack
        /// Turn the weights back into floats.
        case dequantize
    }

    /// All tensors of the source, in its order.
    public let tensors: [Tensor]
    /// The files of weights, in order of their numbers.
    public let files: [File]
    /// The other files that will be there, in the order of their names' bytes.
    public let companionNames: [Name]
    /// What is worth knowing beforehand.
    public let warnings: [CheckpointWarning]
    /// What makes a result that other programs open, where this one is not.
    public let remedies: [Remedy]

    /// Bytes of all tensors in the source.
    public var sourceByteCount: Int { tensors.reduce(0) { $0 + $1.sourceByteCount } }
    /// Bytes of all tensors in the output.
    public var outputByteCount: Int { tensors.reduce(0) { $0 + $1.outputByteCount } }
    /// The tensors that are quantized, or turned back.
    public var changedTensors: [Tensor] {
        tensors.filter {
            switch $0.action {
            case .quantize, .dequantize, .merge, .residual, .adapt, .convert(_, .unpacked): true
            case .keep, .convert: false
            }
        }
    }
}
