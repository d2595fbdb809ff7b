/// Everything that decides the codes and scales of a weight.
public struct QuantizationConfig: Sendable, Hashable {
    /// How the scales of blocks are stored.
    public enum AbsmaxKind: Sendable, Hashable {
        /// As float32.
        case float32
        /// Quantized to 8 bits themselves ("double quantization", "nested").
        case doubleQuantized
    }

    /// How the scale of a block is found.
    public enum ScaleRule: String, Sendable, Hashable, CaseIterable {
        /// The largest magnitude in the block; bit-equal to bitsandbytes.
        case absmax
        /// The multiple of it that leaves the least squared error of the weights; the format stays the
        /// same. A lower error is not a better model: SmolLM2-135M gets worse by it
        /// (`docs/accuracy.md`).
        case search
    }

    /// What the codes mean.
    public let format: QuantizationFormat
    /// Elements that share a scale; without meaning for `int8Vectorwise`.
    public let blockSize: BlockSize
    /// How scales are stored; `float32` except for 4-bit formats.
    public let absmax: AbsmaxKind
    /// How scales are found; `absmax` except for 4-bit formats.
    public let scale: ScaleRule

    /// Chooses a format and its details.
    /// - Precondition: nested and searched scales go with 4-bit formats only.
    public init(
        _ format: QuantizationFormat,
        blockSize: BlockSize = .b64,
        absmax: AbsmaxKind = .float32,
        scale: ScaleRule = .absmax
    ) {
        precondition(
            format.is4Bit || (absmax == .float32 && scale == .absmax),
            "nested or searched scales with \(format.rawValue)"
        )
        self.format = format
        self.blockSize = blockSize
        self.absmax = absmax
        self.scale = scale
    }

    /// What bitsandbytes and transformers use by default for QLoRA.
    public static let nf4 = QuantizationConfig(.nf4)
}

extension QuantizationConfig: CustomStringConvertible {
    /// A few words, for tables: `nf4, 64, nested, search`.
    public var description: String {
        var words = [format.rawValue]
        if format.isBlockwise { words.append(String(blockSize.rawValue)) }
        if absmax == .doubleQuantized { words.append("nested") }
        if scale == .search { words.append("search") }
        return words.joined(separator: ", ")
    }
}
