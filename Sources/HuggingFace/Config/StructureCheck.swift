internal import Containers
internal import Files
internal import Tensors

/// Compares the tensors of a checkpoint with those that its `config.json` implies.
struct StructureCheck {
    private let model: ModelConfig
    private let contents: CheckpointContents
    private let quantized: [Name: QuantizedNames.Parts]
    private let tensor: (Name) -> TensorView?
    private(set) var warnings: [CheckpointWarning] = []

    /// Checks everything.
    ///
    /// - Parameters:
    ///   - model: what is implied.
    ///   - contents: what is there.
    ///   - quantized: the weights that have side tensors.
    ///   - tensor: finds a tensor by name.
    /// - Throws: `model.tensorMissing`, `model.tensorUnexpected`, `index.tensorUnmapped`,
    ///   `config.shape` or `config.quantization`.
    init(
        _ model: ModelConfig,
        _ contents: CheckpointContents,
        quantized: [Name: QuantizedNames.Parts],
        tensor: @escaping (Name) -> TensorView?
    ) throws(CheckpointError) {
        self.model = model
        self.contents = contents
        self.quantized = quantized
        self.tensor = tensor
        try checkPresence()
        try checkShapes()
        try checkRest()
    }

    // MARK: Presence

    private func checkPresence() throws(CheckpointError) {
        var missing: [Name] = []
        for module in model.modules {
            for name in module.tensorNames where tensor(name) == nil { missing.append(name) }
        }
        guard let first = missing.first else { return }
        let needed = Set(missing)
        if let stray = contents.unmappedTensors.first(where: { needed.contains($0.name) }) {
            throw CheckpointError(
                .indexTensorUnmapped,
                "the model needs the tensor, and the index does not map it",
                file: stray.shard,
                tensor: stray.name
            )
        }
        throw CheckpointError(
            .modelTensorMissing,
            missing.count == 1
                ? "the tensor is implied, but not there"
                : "\(missing.count) tensors are implied, but not there: \(listed(missing))",
            file: CheckpointContents.configFileName,
            tensor: first
        )
    }

    // MARK: Shapes

    private func checkShapes() throws(CheckpointError) {
        for module in model.modules {
            if let weight = tensor(module.weightName) { try checkWeight(weight, of: module) }
            if let name = module.biasName, let bias = tensor(name) {
                try check(bias, has: module.biasCount.map { [$0] } ?? [])
            }
        }
        // A stored head is read by some programs even where it is tied.
        let head: Name = "lm_head.weight"
        if model.tiesWordEmbeddings, let weight = tensor(head) {
            guard quantized[head] == nil else {
                throw CheckpointError(
                    .configQuantization,
                    "the output head is tied to the embedding, and yet quantized",
                    file: weight.fileName,
                    tensor: head
                )
            }
            try check(weight, has: [model.vocabularySize, model.hiddenSize])
        }
    }

    private func checkWeight(_ weight: TensorView, of module: ModelModule) throws(CheckpointError) {
        switch quantized[module.weightName] {
        case nil: try check(weight, has: module.weightShape)
        case .some(let parts) where !module.isLinear:
            throw CheckpointError(
                .configQuantization,
                "only linear layers are quantized, and this has "
                    + (parts.contains(.fourBit) ? "4-bit" : "8-bit") + " scales beside it",
                file: weight.fileName,
                tensor: module.weightName
            )
        // Packed codes have lost their shape: it is in their state, for whoever unpacks them.
        case .some(let parts) where parts.contains(.fourBit): break
        case .some: try check(weight, has: module.matrixShape)
        }
    }

    private func check(_ tensor: TensorView, has shape: [Int]) throws(CheckpointError) {
        guard tensor.description.shape != shape else { return }
        let isPacked = tensor.description.dtype == .uint8
        throw CheckpointError(
            .configShape,
            "the shape is not what config.json implies",
            file: tensor.fileName,
            tensor: tensor.description.name,
            expected: "\(shape)",
            found: "\(tensor.description.shape)",
            hint: isPacked
                ? "these may be packed codes whose quant_state is missing"
                : "shapes follow from \(model.sizesText)"
        )
    }

    // MARK: What else is there

    private mutating func checkRest() throws(CheckpointError) {
        var unknown: [TensorView] = []
        for tensor in contents.tensors {
            let name = tensor.description.name
            let owner = QuantizedNames.weight(ofSideTensor: name)?.name ?? name
            guard model.module(owning: owner) == nil, owner != "lm_head.weight",
                !StructureCheck.isHarmlessBuffer(name)
            else { continue }
            if let layer = layerIndex(in: name), layer >= model.layerCount {
                throw CheckpointError(
                    .modelTensorUnexpected,
                    "layer \(layer) is beyond the \(model.layerCount) layers of config.json",
                    file: tensor.fileName,
                    tensor: name
                )
            }
            unknown.append(tensor)
        }
        if let first = unknown.first {
            warnings.append(
                CheckpointWarning(
                    CheckpointError(
                        .modelTensorUnexpected,
                        unknown.count == 1
                            ? "the model does not need this tensor; it is kept as it is"
                            : "the model does not need \(unknown.count) tensors, which are kept"
                                + " as they are: \(listed(unknown.map(\.description.name)))",
                        file: first.fileName,
                        tensor: first.description.name
                    )
                )
            )
        }
    }

    /// The number of the layer that a tensor belongs to by its name.
    private func layerIndex(in name: Name) -> Int? {
        for prefix in ["model.layers.", "layers.", "transformer.h.", "h."]
        where name.hasPrefix(prefix) {
            let digits = name.utf8.dropFirst(prefix.utf8.count).prefix { $0 != UInt8(ascii: ".") }
            let text = String(decoding: digits, as: UTF8.self)
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            // A number too large for `Int` is beyond the layers as well.
            return text.isEmpty ? nil : Int(text) ?? Int.max
        }
        return nil
    }

    /// Constants that older releases of transformers saved beside the weights.
    private static func isHarmlessBuffer(_ name: Name) -> Bool {
        name.hasSuffix(".rotary_emb.inv_freq") || name.hasSuffix(".attn.masked_bias")
            || name.hasSuffix(".attn.bias")
    }

    private func listed(_ names: [Name]) -> String {
        let shown = names.prefix(5).map(\.description).joined(separator: ", ")
        return names.count > 5 ? shown + ", …" : shown
    }
}

extension ModelModule {
    /// The names of the weight and, if there is one, of the bias.
    var tensorNames: [Name] { [weightName] + (biasName.map { [$0] } ?? []) }
}
