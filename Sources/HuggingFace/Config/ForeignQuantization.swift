internal import Containers
internal import Files

/// Weights that another method quantized, which this package does not read.
enum ForeignQuantization {
    /// What such tensors are called, among others by GPTQ, AWQ, compressed-tensors and block-scaled
    /// FP8.
    private static let endings = [
        ".qweight", ".qzeros", ".weight_packed", ".weight_scale", ".weight_scale_inv", ".w_scales",
        "_blocks", "_scales",
    ]
    /// What `quant_method` may be for weights that are read.
    private static let ownMethods = ["bitsandbytes", QuantizationDeclaration.blockwiseMethod]

    /// The method that a configuration announces; nil if there is none, or one that is read.
    static func method(in configuration: JSONObject?) -> String? {
        guard case .object(let settings)? = configuration?["quantization_config"],
            case .string(let method)? = settings["quant_method"], !ownMethods.contains(method)
        else { return nil }
        return method
    }

    /// Returns the refusal of a model whose tensors are quantized so; nil if they are plain.
    static func finding(in contents: CheckpointContents) -> CheckpointError? {
        let method = method(in: contents.configuration)
        // MXFP4 names its tensors as others may name anything.
        let marks = endings.filter { method != nil || $0.hasPrefix(".") }
        let mark = contents.tensors.first { tensor in
            marks.contains(where: tensor.description.name.hasSuffix)
        }
        guard let mark else { return nil }
        return CheckpointError(
            .configUnsupported,
            "the model is quantized by "
                + (method.map { "\"\(Name.printable($0))\"" } ?? "another method")
                + ", which is not read",
            file: mark.fileName,
            tensor: mark.description.name,
            hint: "take the model that it was made from"
        )
    }
}
