public import CheckpointIO
internal import Quant
internal import Tensors

extension ModuleTree {
    /// The modules of a checkpoint, quantized or not: in the order of the network where the
    /// architecture is known, else in that of the files.
    /// - Throws: `quant.…` for a defect of a quantized weight.
    public init(_ checkpoint: Checkpoint) throws(CheckpointError) {
        let type: String? =
            if case .string(let type)? = checkpoint.configuration?["model_type"] { type } else {
                nil
            }
        if let model = checkpoint.model {
            var modules = model.modules.map(Module.init)
            let embedding = modules.first { $0.kind == .embedding }
            let isTied = model.tiesWordEmbeddings
            if isTied, let embedding {
                modules.append(Module("lm_head", .linear, shape: embedding.shape))
            }
            self.init(
                modules,
                inputEmbedding: embedding?.name,
                outputHead: "lm_head",
                tiesHead: isTied,
                modelType: type
            )
            return
        }
        var modules: [Module] = []
        var (embedding, head): (String?, String?)
        for view in checkpoint.tensors {
            guard let (module, kind) = try Module.guess(view, in: checkpoint) else { continue }
            if kind == .embedding, embedding == nil { embedding = module.name }
            if kind == .outputHead { head = module.name }
            modules.append(module)
        }
        self.init(modules, inputEmbedding: embedding, outputHead: head, modelType: type)
    }
}

extension ModuleTree.Module {
    fileprivate init(_ module: ModelModule) {
        let kind: ModuleTree.Kind =
            switch module.kind {
            case .linear, .outputHead, .router, .keptLinear: .linear
            case .convolution1D: .convolution1D
            case .embedding: .embedding
            case .norm: .other("norm")
            }
        self.init(module.path.text, kind, shape: module.matrixShape, biasCount: module.biasCount)
    }

    /// What the weight of a module says of it, where the architecture is not known.
    fileprivate static func guess(
        _ view: TensorView,
        in checkpoint: Checkpoint
    ) throws(CheckpointError) -> (ModuleTree.Module, ModelModule.Kind?)? {
        let tensor = view.description
        guard tensor.name.hasSuffix(".weight"),
            QuantizedNames.weight(ofSideTensor: tensor.name) == nil
        else { return nil }
        let name = String(tensor.name.text.dropLast(".weight".count))
        let biasCount = checkpoint[Name(name + ".bias")]?.description.shape.first
        if let stored = try StoredQuantization(view, in: checkpoint) {
            let shape = [stored.rowCount, stored.columnCount]
            let matrix = TensorDescription(
                name: tensor.name,
                dtype: stored.dtype.dtype,
                shape: shape
            )
            let kind = checkpoint.moduleKind(of: matrix)
            let isConvolution = kind == .convolution1D
            return (
                Self(
                    name,
                    isConvolution ? .convolution1D : .linear,
                    shape: shape,
                    biasCount: biasCount
                ),
                kind
            )
        }
        let kind = checkpoint.moduleKind(of: tensor)
        let own: ModuleTree.Kind =
            switch kind {
            case .linear, .outputHead, .router, .keptLinear: .linear
            case .convolution1D: .convolution1D
            case .embedding: .embedding
            case .norm: .other("norm")
            case nil: tensor.shape.count > 2 ? .convolution : .other("norm")
            }
        let shape = own == .convolution1D ? tensor.shape.reversed() : tensor.shape
        return (Self(name, own, shape: shape, biasCount: biasCount), kind)
    }
}
