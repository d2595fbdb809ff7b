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
            self.init(model)
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

extension ModuleTree {
    /// The modules of a model of a known architecture.
    /// - Parameters:
    ///   - model: its configuration.
    ///   - layerOrder: the layers of a stack that repeats, leaves out or reorders them: names count
    ///     places in it.
    ///   - tokenCount: rows of the embedding and the head, if it is not that of the configuration.
    init(_ model: ModelConfig, layerOrder: [Int]? = nil, tokenCount: Int? = nil) {
        var modules = model.modules.map(Module.init)
        if let tokenCount, tokenCount != model.vocabularySize {
            modules = modules.map { module in
                guard module.kind == .embedding || module.name == "lm_head" else { return module }
                return Module(
                    module.name,
                    module.kind,
                    shape: [tokenCount] + module.shape.dropFirst(),
                    biasCount: module.biasCount
                )
            }
        }
        if let layerOrder { modules = Self.reordered(modules, layerOrder) }
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
            modelType: model.architecture.modelType
        )
    }

    private static func reordered(_ modules: [Module], _ order: [Int]) -> [Module] {
        func layer(_ module: Module) -> (prefix: String, index: Int, rest: String)? {
            let parts = module.name.split(separator: ".").map(String.init)
            guard let place = parts.firstIndex(of: "layers"), place + 1 < parts.count,
                let index = Int(parts[place + 1])
            else { return nil }
            return (
                parts[...place].joined(separator: "."), index,
                parts[(place + 2)...].joined(separator: ".")
            )
        }
        let first = modules.firstIndex { layer($0) != nil } ?? modules.count
        let stack = order.enumerated().flatMap { place, index in
            modules.compactMap { module in
                guard let own = layer(module), own.index == index else { return Module?.none }
                return Module(
                    "\(own.prefix).\(place).\(own.rest)",
                    module.kind,
                    shape: module.shape,
                    biasCount: module.biasCount
                )
            }
        }
        return modules[..<first] + stack
            + modules[first...].filter { layer($0) == nil }
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
