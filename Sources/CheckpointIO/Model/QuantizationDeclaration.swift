/// What `quantization_config` in `config.json` says about the weights.
///
/// Tensors decide what is quantized and how; this serves to cross-check them.
public struct QuantizationDeclaration: Hashable, Sendable {
    /// The mode that is announced.
    public enum Mode: Hashable, Sendable {
        /// `load_in_4bit`, with `bnb_4bit_quant_type`: `nf4` or `fp4`.
        case fourBit(type: String, isNested: Bool)
        /// `load_in_8bit`.
        case eightBit
    }

    /// The announced mode; nil if neither flag is set.
    public let mode: Mode?
    /// `llm_int8_skip_modules`; nil means the defaults of transformers.
    public let skippedModules: [String]?
    /// `bnb_4bit_quant_storage`: the type that packed codes pretend to have; `uint8` by default.
    public let storageType: String
}
