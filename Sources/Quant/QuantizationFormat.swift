/// What a quantized weight is made of.
public enum QuantizationFormat: String, Sendable, Hashable, CaseIterable {
    /// 4 bits, the values quantiles of the normal distribution (QLoRA, Dettmers et al. 2023).
    case nf4
    /// 4 bits, a tiny floating-point number, as bitsandbytes defines it.
    case fp4
    /// 8 bits, linear, one scale a row (LLM.int8, Dettmers et al. 2022).
    case int8Vectorwise = "int8"
    /// 8 bits, the signed dynamic map, one scale a block: this package's own layout.
    case int8Blockwise = "int8-blockwise"

    /// Bits of one code.
    public var bitCount: Int { is4Bit ? 4 : 8 }

    /// Whether two codes share a byte.
    public var is4Bit: Bool { self == .nf4 || self == .fp4 }

    /// Whether the scales are those of blocks; else they are those of rows.
    public var isBlockwise: Bool { self != .int8Vectorwise }

    /// The values of the codes; nil where the code is the value.
    public var codebook: Codebook? {
        switch self {
        case .nf4: Codebook.nf4
        case .fp4: Codebook.fp4
        case .int8Blockwise: Codebook.dynamicSigned
        case .int8Vectorwise: nil
        }
    }
}
