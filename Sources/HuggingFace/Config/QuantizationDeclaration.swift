package import Files

/// What `quantization_config` in `config.json` says about the weights.
///
/// Tensors decide what is quantized and how; this serves to cross-check them.
package struct QuantizationDeclaration: Hashable, Sendable {
    /// The mode that is announced.
    package enum Mode: Hashable, Sendable {
        /// `load_in_4bit`, with `bnb_4bit_quant_type`: `nf4` or `fp4`.
        case fourBit(type: String, isNested: Bool)
        /// `load_in_8bit`.
        case eightBit
        /// This package's own layout of 8-bit blocks.
        case eightBitBlocks
    }

    /// `quant_method` of this package's own layout of 8-bit blocks, which others do not know.
    package static let blockwiseMethod = "swift-qlora-int8-blockwise"

    /// The announced mode; nil if neither flag is set.
    package let mode: Mode?
    /// `quant_method` if it is one that is not read.
    package private(set) var foreignMethod: String?
    /// `llm_int8_skip_modules`; nil means the defaults of transformers.
    package let skippedModules: [String]?
    /// `llm_int8_threshold`: activations of at least this magnitude are outliers; nil means the default of
    /// transformers.
    package private(set) var outlierThreshold: Double?
    /// `bnb_4bit_quant_storage`: the type that packed codes pretend to have; `uint8` by default.
    package let storageType: String

    /// Reads the declaration; nil if `config.json` has none.
    ///
    /// Of a method that is not read it takes nothing but its name.
    /// - Throws: `config.quantization` for a contradiction, or `json.type`.
    package init?(configuration: JSONObject) throws(CheckpointError) {
        guard let settings = try configuration.optionalObject("quantization_config") else {
            return nil
        }
        func failure(_ code: CheckpointError.Code, _ message: String, key: Name) -> CheckpointError
        {
            CheckpointError(
                code,
                message,
                key: settings.keyPath(key),
                offset: settings.member(key)?.valueOffset
            )
        }
        let method = try settings.optionalString("quant_method") ?? "bitsandbytes"
        if method == QuantizationDeclaration.blockwiseMethod {
            mode = .eightBitBlocks
            skippedModules = try settings.optionalStrings("skip_modules")
            storageType = "uint8"
            return
        }
        guard method == "bitsandbytes" else {
            foreignMethod = method
            (mode, skippedModules, storageType) = (nil, nil, "uint8")
            return
        }
        let isFourBit = try settings.optionalBool("load_in_4bit") ?? false
        let isEightBit = try settings.optionalBool("load_in_8bit") ?? false
        guard !(isFourBit && isEightBit) else {
            throw failure(
                .configQuantization,
                "load_in_4bit and load_in_8bit exclude each other",
                key: "load_in_8bit"
            )
        }
        if isFourBit {
            let type = try settings.optionalString("bnb_4bit_quant_type") ?? "fp4"
            guard type == "nf4" || type == "fp4" else {
                throw failure(
                    .configQuantization,
                    "the 4-bit type \"\(Name.printable(type))\" is neither nf4 nor fp4",
                    key: "bnb_4bit_quant_type"
                )
            }
            mode = .fourBit(
                type: type,
                isNested: try settings.optionalBool("bnb_4bit_use_double_quant") ?? false
            )
        } else {
            mode = isEightBit ? .eightBit : nil
        }
        skippedModules = try settings.optionalStrings("llm_int8_skip_modules")
        outlierThreshold = try settings.optionalDouble("llm_int8_threshold")
        storageType = try settings.optionalString("bnb_4bit_quant_storage") ?? "uint8"
    }
}
