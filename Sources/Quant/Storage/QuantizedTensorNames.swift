package import CheckpointIO

/// The names of the tensors that belong to one quantized weight.
package struct QuantizedTensorNames: Sendable, Hashable {
    /// The weight: `<module>.weight`.
    package let weight: Name

    package init(weight: Name) {
        self.weight = weight
    }

    /// The module: the name without `.weight`.
    package var module: Name {
        weight.hasSuffix(".weight") ? Name(utf8: weight.utf8.dropLast(7)) : weight
    }

    // bitsandbytes, 4 bits.
    package var absmax: Name { weight + ".absmax" }
    package var quantMap: Name { weight + ".quant_map" }
    package var nestedAbsmax: Name { weight + ".nested_absmax" }
    package var nestedQuantMap: Name { weight + ".nested_quant_map" }
    package func state(_ format: QuantizationFormat) -> Name {
        weight + ".quant_state.bitsandbytes__\(format.rawValue)"
    }

    // bitsandbytes, LLM.int8: these hang on the module.
    package var rowScales: Name { module + ".SCB" }
    package var weightFormat: Name { module + ".weight_format" }

    // This package's own layout of 8-bit blocks.
    package var blockScales: Name { weight + ".int8_blockwise_scales" }
    package var blockState: Name { weight + ".int8_blockwise_state" }
}

extension Name {
    static func + (left: Name, right: String) -> Name {
        Name(utf8: left.utf8 + right.utf8)
    }
}
