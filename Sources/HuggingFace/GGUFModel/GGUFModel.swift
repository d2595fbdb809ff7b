internal import Containers
internal import Files
internal import Tensors

/// The model in a GGUF file, in Hugging Face's names, order and words.
struct GGUFModel {
    /// The file.
    let file: GGUFFile
    /// What the file says of the model's size.
    let config: GGUFConfig
    /// `config.json`.
    let configuration: JSONObject
    /// The tensors, in file order.
    let tensors: [TensorView]
    /// The type to store the model in, if nobody asks for another: what it had before it was
    /// packed, as far as that can be known.
    let preferredDType: DType

    /// Interprets a file.
    /// - Throws: `CheckpointError`; `config.unsupported` for whatever is not known for certain.
    init(file: GGUFFile) throws(CheckpointError) {
        try GGUFModel.checkKind(of: file)
        let architecture = try GGUFArchitecture(of: file)
        let config = try GGUFConfig(file: file, architecture: architecture)
        try GGUFModel.checkPresence(config)
        self.file = file
        self.config = config
        preferredDType = GGUFModel.preferredDType(of: file)
        configuration = try config.json(dtype: preferredDType.torchName)
        do throws(CheckpointError) {
            tensors = try GGUFModel.views(config, expected: ModelConfig(json: configuration))
        } catch {
            throw error.inFile(file.source.fileName)
        }
    }

    /// Refuses files that hold something else than a whole model.
    private static func checkKind(of file: GGUFFile) throws(CheckpointError) {
        let (typeKey, splitKey): (Name, Name) = ("general.type", "split.count")
        if let type = try file.string(typeKey), type != "model" {
            throw CheckpointError(
                .configUnsupported,
                "the file does not hold a model",
                file: file.source.fileName,
                key: typeKey.text,
                expected: "model",
                found: type
            )
        }
        if let count = try file.integer(splitKey), count > 1 {
            throw CheckpointError(
                .configUnsupported,
                "the file is a part of a model that was split",
                file: file.source.fileName,
                key: splitKey.text,
                expected: "1",
                found: "\(count)",
                hint: "merge the parts first, for example with llama-gguf-split --merge"
            )
        }
    }

    /// The one type of all matrices, if they have one and are not packed; else bfloat16.
    private static func preferredDType(of file: GGUFFile) -> DType {
        let types = Set(file.tensors.filter { $0.shape.count > 1 }.map(\.type))
        guard types.count == 1, let type = types.first else { return .bfloat16 }
        switch type {
        case .f32: return .float32
        case .f16: return .float16
        default: return .bfloat16
        }
    }

    /// Throws unless every layer is there as a whole, and nothing else is.
    private static func checkPresence(_ config: GGUFConfig) throws(CheckpointError) {
        var missing: [Name] = []
        for name in ["token_embd.weight", "output_norm.weight"] as [Name]
        where config.tensor(name) == nil {
            missing.append(name)
        }
        let modules = config.architecture.requiredBlockModules
        for layer in 0..<config.layerCount {
            for module in modules {
                let name = Name("blk.\(layer).\(module).weight")
                if config.tensor(name) == nil { missing.append(name) }
            }
        }
        guard missing.isEmpty else {
            let names = missing.prefix(5).map(\.description).joined(separator: ", ")
            throw CheckpointError(
                .modelTensorMissing,
                missing.count == 1
                    ? "the tensor is missing"
                    : "\(missing.count) tensors are missing: \(names)",
                file: config.file.source.fileName,
                tensor: missing[0],
                hint: "\(config.architecture.rawValue).block_count says \(config.layerCount)"
            )
        }
    }

    /// Makes the views, checking each shape against the one that the configuration implies.
    private static func views(
        _ config: GGUFConfig,
        expected: ModelConfig
    ) throws(CheckpointError) -> [TensorView] {
        var views: [TensorView] = []
        for tensor in config.file.tensors {
            switch config.architecture.meaning(of: tensor.name) {
            case .ropeFactors:
                continue
            case .unknown:
                throw CheckpointError(
                    .configUnsupported,
                    "a tensor that no \(config.architecture.rawValue) model is known to have",
                    file: config.file.source.fileName,
                    tensor: tensor.name
                )
            case .weight(let role):
                guard role.layer.map({ $0 < config.layerCount }) ?? true else {
                    throw CheckpointError(
                        .modelTensorUnexpected,
                        "the tensor belongs to a layer that the model does not have",
                        file: config.file.source.fileName,
                        tensor: tensor.name,
                        expected: "\(config.layerCount) layers",
                        found: "layer \(role.layer ?? 0)"
                    )
                }
                let shape = expected.expectedShape(of: role.name) ?? tensor.shape
                guard shape == tensor.shape else {
                    throw CheckpointError(
                        .configShape,
                        "the shape is not the one that the model's keys imply",
                        tensor: tensor.name,
                        expected: "\(shape)",
                        found: "\(tensor.shape)"
                    )
                }
                views.append(try view(of: tensor, role: role, config: config))
            }
        }
        return views
    }

    private static func view(
        of tensor: GGUFTensor,
        role: GGUFTensorRole,
        config: GGUFConfig
    ) throws(CheckpointError) -> TensorView {
        guard !role.isOffset || tensor.type == .f32 else {
            throw CheckpointError(
                .configUnsupported,
                "a norm that is not stored as F32",
                file: config.file.source.fileName,
                tensor: tensor.name,
                found: tensor.type.name
            )
        }
        return TensorView(
            description: TensorDescription(
                name: role.name,
                dtype: tensor.elementDType,
                shape: tensor.shape
            ),
            fileName: config.file.source.fileName,
            storedName: tensor.name,
            storedType: tensor.type.name,
            storedByteCount: tensor.bytes.count,
            elements: GGUFElements(
                source: config.file.source,
                tensor: tensor,
                rowOrder: try rowOrder(of: tensor, role: role, config: config),
                isOffset: role.isOffset
            )
        )
    }

    private static func rowOrder(
        of tensor: GGUFTensor,
        role: GGUFTensorRole,
        config: GGUFConfig
    ) throws(CheckpointError) -> GGUFRowOrder {
        guard let heads = role.heads else { return .same }
        let headCount = heads == .query ? config.headCount : config.keyValueHeadCount
        let rows = tensor.shape[0]
        guard rows % (headCount * 2) == 0 else {
            throw CheckpointError(
                .configShape,
                "the rows cannot be divided among the heads",
                file: config.file.source.fileName,
                tensor: tensor.name,
                expected: "a multiple of \(headCount * 2) rows",
                found: "\(rows)"
            )
        }
        return .interleavedHalves(rowsPerHead: rows / headCount)
    }
}

extension DType {
    /// The name of a float type as PyTorch has it.
    fileprivate var torchName: String {
        switch self {
        case .float32: "float32"
        case .float16: "float16"
        default: "bfloat16"
        }
    }
}
