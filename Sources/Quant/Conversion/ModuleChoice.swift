internal import CheckpointIO
internal import Tensors

/// Decides which weights are quantized, and to what.
struct ModuleChoice {
    /// What is decided for one tensor.
    enum Decision: Hashable {
        case keep(TensorAction.KeepReason)
        case quantize(QuantizationConfig, isTransposed: Bool)
    }

    let model: ModelConfig?
    let options: ConversionOptions

    /// Decides for a tensor.
    func decision(for tensor: TensorDescription) -> Decision {
        guard let kind = linearKind(of: tensor) else { return .keep(.notLinear) }
        let module = QuantizedTensorNames(weight: tensor.name).module
        let isTransposed = kind == .convolution1D
        if let rule = options.rules.first(where: { $0.pattern.matches(module) }) {
            guard let config = rule.config else { return .keep(.skipped) }
            return .quantize(config, isTransposed: isTransposed)
        }
        guard kind != .outputHead else { return .keep(.outputHead) }
        let isWanted = options.only.isEmpty || options.only.contains { $0.matches(module) }
        guard isWanted, !options.skip.contains(where: { $0.matches(module) }) else {
            return .keep(.skipped)
        }
        return .quantize(options.config, isTransposed: isTransposed)
    }

    /// What kind of linear layer a tensor is the weight of; nil for any other tensor.
    func linearKind(of tensor: TensorDescription) -> ModelModule.Kind? {
        guard FloatDType(tensor.dtype) != nil, tensor.shape.count == 2,
            tensor.name.hasSuffix(".weight"), !tensor.shape.contains(0)
        else { return nil }
        guard let model else { return guessedKind(of: tensor) }
        guard let module = model.module(owning: tensor.name), module.isLinear else { return nil }
        return module.kind
    }

    /// Without a known architecture every matrix counts, except where the name says that it is an
    /// embedding or the output head.
    private func guessedKind(of tensor: TensorDescription) -> ModelModule.Kind? {
        let components = QuantizedTensorNames(weight: tensor.name).module.text
            .lowercased().split(separator: ".")
        guard let last = components.last else { return .linear }
        if ["lm_head", "embed_out", "output_projection"].contains(last) { return .outputHead }
        let isTable = components.contains { component in
            component.contains("embed") || ["wte", "wpe"].contains(component)
        }
        return isTable || last.contains("norm") ? nil : .linear
    }
}
