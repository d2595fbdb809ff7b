internal import CheckpointIO
internal import Tensors

/// `config.json` of a quantized model, as transformers 5.23 writes it.
enum QuantizedConfiguration {
    /// The method under which this package's own layout of 8-bit blocks is announced.
    static let blockwiseMethod = QuantizationDeclaration.blockwiseMethod

    /// Returns the value of `quantization_config`.
    /// - Parameters:
    ///   - config: what most modules become.
    ///   - isNested: whether any has nested scales.
    ///   - dtype: the type of the model.
    ///   - skippedModules: `llm_int8_skip_modules`.
    /// - Returns: the members in the order of their keys.
    static func declaration(
        _ config: QuantizationConfig,
        isNested: Bool,
        dtype: FloatDType,
        skippedModules: [String]?
    ) -> JSONObject {
        let skipped = skippedModules.map { JSONValue.array($0.map(JSONValue.string)) } ?? .null
        if config.format == .int8Blockwise {
            return [
                "quant_method": .string(blockwiseMethod),
                "skip_modules": skipped,
                "version": .integer(BlockwiseInt8State.version),
            ]
        }
        let is4Bit = config.format.is4Bit
        return [
            "_load_in_4bit": .bool(is4Bit),
            "_load_in_8bit": .bool(!is4Bit),
            "bnb_4bit_compute_dtype": .string(is4Bit ? dtype.rawValue : "float32"),
            "bnb_4bit_quant_storage": "uint8",
            "bnb_4bit_quant_type": .string(is4Bit ? config.format.rawValue : "fp4"),
            "bnb_4bit_use_double_quant": .bool(isNested),
            "llm_int8_enable_fp32_cpu_offload": false,
            "llm_int8_has_fp16_weight": false,
            "llm_int8_skip_modules": skipped,
            "llm_int8_threshold": .double(6),
            "load_in_4bit": .bool(is4Bit),
            "load_in_8bit": .bool(!is4Bit),
            "quant_method": "bitsandbytes",
        ]
    }

    /// Returns the text of a configuration, in the spelling of transformers.
    static func text(_ configuration: JSONObject) -> [UInt8] {
        Array((configuration.text(.indentedAndSorted) + "\n").utf8)
    }

    /// Sets the type of the model, under the key that the file uses.
    static func setDType(_ dtype: FloatDType, in configuration: inout JSONObject) {
        let isOld = configuration["dtype"] == nil && configuration["torch_dtype"] != nil
        configuration[isOld ? "torch_dtype" : "dtype"] = .string(dtype.rawValue)
    }
}
