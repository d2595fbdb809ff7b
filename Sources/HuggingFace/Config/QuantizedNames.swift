internal import Containers
package import Files

/// The names under which bitsandbytes stores what belongs to a quantized weight.
package enum QuantizedNames {
    /// What is known of the tensors beside a weight.
    package struct Parts: OptionSet, Sendable {
        package let rawValue: Int

        package init(rawValue: Int) { self.rawValue = rawValue }

        /// Scales, maps and state of 4-bit codes.
        package static let fourBit = Parts(rawValue: 1)
        /// Scales of int8 rows, or of blocks of 8-bit codes.
        package static let eightBit = Parts(rawValue: 2)
    }

    private static let fourBitEndings = [
        ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map",
        ".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4",
    ]
    private static let eightBitEndings = [".SCB", ".weight_format"]
    /// Of this package's own layout.
    private static let blockwiseEndings = [".int8_blockwise_scales", ".int8_blockwise_state"]

    /// Returns the weight that a side tensor belongs to; nil for any other tensor.
    package static func weight(ofSideTensor name: Name) -> (name: Name, part: Parts)? {
        if let ending = fourBitEndings.first(where: name.hasSuffix) {
            return (Name(utf8: name.utf8.dropLast(ending.utf8.count)), .fourBit)
        }
        if let ending = blockwiseEndings.first(where: name.hasSuffix) {
            return (Name(utf8: name.utf8.dropLast(ending.utf8.count)), .eightBit)
        }
        if let ending = eightBitEndings.first(where: name.hasSuffix) {
            let module = name.utf8.dropLast(ending.utf8.count)
            return (Name(utf8: module + ".weight".utf8), .eightBit)
        }
        return nil
    }

    /// Returns the quantized weights among tensors, with what is stored beside each.
    /// - Throws: `model.tensorUnexpected` for a side tensor whose weight is not there.
    static func quantizedWeights(
        among tensors: [TensorView],
        contains: (Name) -> Bool
    ) throws(CheckpointError) -> [Name: Parts] {
        var weights: [Name: Parts] = [:]
        for tensor in tensors {
            let name = tensor.description.name
            guard let (weight, part) = weight(ofSideTensor: name) else { continue }
            guard contains(weight) else {
                throw CheckpointError(
                    .modelTensorUnexpected,
                    "it belongs to the quantized weight \"\(weight)\", which is not there",
                    file: tensor.fileName,
                    tensor: name
                )
            }
            weights[weight, default: []].formUnion(part)
        }
        return weights
    }
}
