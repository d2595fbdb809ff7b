internal import CheckpointIO
internal import Tensors

/// Decides which weights are quantized, and to what.
struct ModuleChoice {
    /// What is decided for one tensor.
    enum Decision: Hashable {
        case keep(TensorAction.KeepReason)
        case quantize(QuantizationConfig, isTransposed: Bool)
    }

    let checkpoint: Checkpoint
    let options: ConversionOptions

    /// Decides for a tensor.
    func decision(for tensor: TensorDescription) -> Decision {
        guard FloatDType(tensor.dtype) != nil, let kind = matrixKind(of: tensor) else {
            return .keep(.notLinear)
        }
        let module = QuantizedTensorNames(weight: tensor.name).module
        let isTransposed = kind == .convolution1D
        if let rule = options.rules.first(where: { $0.pattern.matches(module) }) {
            guard let config = rule.config else { return .keep(.skipped) }
            return .quantize(config, isTransposed: isTransposed)
        }
        switch kind {
        case .linear, .convolution1D: break
        case .outputHead: return .keep(.outputHead)
        case .router: return .keep(.router)
        case .keptLinear: return .keep(.fullPrecision)
        case .embedding, .norm: return .keep(.notLinear)
        }
        let isWanted = options.only.isEmpty || options.only.contains { $0.matches(module) }
        guard isWanted, !options.skip.contains(where: { $0.matches(module) }) else {
            return .keep(.skipped)
        }
        return .quantize(options.config, isTransposed: isTransposed)
    }

    /// What kind of layer a tensor is the weight of that a loader may take for a linear one; nil for
    /// any other tensor.
    ///
    /// Where the architecture is not known every matrix may be one, whatever its name says.
    func matrixKind(of tensor: TensorDescription) -> ModelModule.Kind? {
        guard tensor.shape.count == 2, tensor.name.hasSuffix(".weight"), !tensor.shape.contains(0),
            let kind = checkpoint.moduleKind(of: tensor)
        else { return nil }
        return checkpoint.model == nil || kind.isLinear ? kind : nil
    }
}
