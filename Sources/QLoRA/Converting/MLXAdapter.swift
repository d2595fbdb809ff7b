public import CheckpointIO
public import Quant
internal import Tensors

/// Adapters in the layout of mlx-lm: `adapter_config.json` with `lora_parameters`, and
/// `adapters.safetensors`.
///
/// `MODULE.lora_a` is `[K, r]` and `MODULE.lora_b` `[r, N]`, both transposed to PEFT's; `scale` is the
/// scaling itself; DoRA has `MODULE.m`. One rank, one scale and the same modules in every adapted layer are
/// all that it can say.
public enum MLXAdapter {
    static let weightsName = "adapters.safetensors"

    /// Reads a folder.
    /// - Parameter path: of the folder.
    /// - Returns: the adapter, of float32 factors.
    /// - Throws: `file.missing`; `json.…`; `adapter.unsupported` for other kinds of fine-tuning;
    ///   `adapter.tensorUnused`, `adapter.tensorMissing`, `adapter.shape`; `num.nonFinite`.
    public static func read(at path: String) throws(CheckpointError) -> AdapterContents {
        let folder = try InputFolder(at: path)
        let settings: Settings
        do throws(CheckpointError) {
            let file = try folder.file(named: Name(AdapterFileName.config))
            guard file.byteCount <= LoRAConfig.maximumByteCount else {
                throw CheckpointError(.limitFileSize, "too large for a configuration")
            }
            settings = try Settings(JSONObject(parsing: file.bytes(in: 0..<file.byteCount)))
        } catch {
            throw error.inFile(AdapterFileName.config)
        }
        let file = try SafetensorsFile(source: folder.file(named: Name(weightsName)))
        var parts: [String: [String: TensorView]] = [:]
        for view in file.tensors {
            let name = view.description.name.text
            guard let dot = name.lastIndex(of: "."),
                ["lora_a", "lora_b", "m"].contains(String(name[name.index(after: dot)...]))
            else {
                throw CheckpointError(
                    .adapterTensorUnused,
                    "neither lora_a, lora_b nor m of a module",
                    file: weightsName,
                    tensor: view.description.name
                )
            }
            parts[String(name[..<dot]), default: [:]][String(name[name.index(after: dot)...])] =
                view
        }
        var layers: [AdapterContents.Layer] = []
        for module in parts.keys.sorted() {
            layers.append(try layer(module, parts[module] ?? [:], settings))
        }
        var config = LoRAConfig(
            rank: settings.rank,
            alpha: settings.scale * Double(settings.rank),
            targetModules: .list(layers.map(\.module))
        )
        config.usesDoRA = settings.isDoRA
        config.dropout = settings.dropout
        config.taskType = "CAUSAL_LM"
        config.baseModel = settings.model
        return AdapterContents(config, layers: layers)
    }

    private static func layer(
        _ module: String,
        _ parts: [String: TensorView],
        _ settings: Settings
    ) throws(CheckpointError) -> AdapterContents.Layer {
        func matrix(_ part: String) throws(CheckpointError) -> Matrix {
            guard let view = parts[part] else {
                throw CheckpointError(
                    .adapterTensorMissing,
                    "the module has other parts",
                    file: weightsName,
                    tensor: Name("\(module).\(part)")
                )
            }
            let shape = view.description.shape
            let rank = part == "lora_a" ? shape.last : shape.first
            guard shape.count == 2, rank == settings.rank else {
                throw CheckpointError(
                    .adapterShape,
                    "the factor is not one of rank \(settings.rank)",
                    file: weightsName,
                    tensor: view.description.name,
                    found: "\(shape)"
                )
            }
            return Matrix(
                rowCount: shape[0],
                columnCount: shape[1],
                elements: try view.finiteFloats()
            ).transposed()
        }
        let magnitude = try parts["m"].map { (view) throws(CheckpointError) in
            try view.finiteFloats()
        }
        let (a, b) = (try matrix("lora_a"), try matrix("lora_b"))
        guard (magnitude != nil) == settings.isDoRA, magnitude?.count ?? b.rowCount == b.rowCount
        else {
            throw CheckpointError(
                settings.isDoRA ? .adapterTensorMissing : .adapterTensorUnused,
                "magnitudes go with fine_tune_type dora, one for each output",
                file: weightsName,
                tensor: Name("\(module).m")
            )
        }
        return AdapterContents.Layer(
            module,
            LoRAAdapter(a: a, b: b, magnitude: magnitude, scaling: settings.scale)
        )
    }

    /// Writes a folder; it appears whole or not at all.
    /// - Parameters:
    ///   - adapter: an adapter in PEFT's folder.
    ///   - destination: the folder to make.
    ///   - options: how to run.
    /// - Throws: `adapter.unsupported` for what the layout cannot say; `output.…`, `file.…`; what
    ///   reading throws.
    public static func write(
        _ adapter: AdapterFolder,
        to destination: String,
        options: RunOptions = RunOptions()
    ) throws(CheckpointError) {
        let factors = try AdapterFactors.read(adapter)
        try checkCanSay(adapter, factors)
        guard let first = factors.layers.first else {
            throw unsupported("target_modules", "the adapter has no modules")
        }
        var tensors: [TensorBytes] = []
        for layer in factors.layers {
            let name = Name(layer.module)
            tensors.append(layer.adapter.a.transposed().tensor(named: Name(name.text + ".lora_a")))
            tensors.append(layer.adapter.b.transposed().tensor(named: Name(name.text + ".lora_b")))
            guard let magnitude = layer.adapter.magnitude else { continue }
            tensors.append(
                TensorBytes(
                    TensorDescription(
                        name: Name(name.text + ".m"),
                        dtype: .float32,
                        shape: [magnitude.count]
                    ),
                    magnitude.littleEndianBytes
                )
            )
        }
        let settings = Settings(
            rank: first.adapter.rank,
            scale: first.adapter.scaling,
            dropout: adapter.config.dropout,
            isDoRA: adapter.config.usesDoRA,
            model: adapter.config.baseModel
        )
        let keys = Set(factors.layers.map { suffix(of: $0.module) }).sorted()
        try FolderWriter.write(
            [(AdapterFileName.config, settings.json(keys: keys).text(.indentedAndSorted) + "\n")],
            (weightsName, tensors),
            to: destination,
            sources: [adapter.resolvedPath],
            options: options
        )
    }

    private static func checkCanSay(
        _ adapter: AdapterFolder,
        _ factors: AdapterFactors
    ) throws(CheckpointError) {
        guard !adapter.config.initialization.changesBase else {
            throw unsupported("init_lora_weights", "the adapter belongs to a base that it changed")
        }
        if let other = factors.otherTensors.first {
            throw unsupported("modules_to_save", "\(other.description.name) has no place there")
        }
        if let layer = factors.layers.first(where: { $0.kind != .linear || $0.adapter.bias != nil })
        {
            throw unsupported("target_modules", "\(layer.module) is not a plain linear layer")
        }
        let kinds = Set(
            factors.layers.map { "rank \($0.adapter.rank), scale \($0.adapter.scaling)" }
        )
        guard kinds.count == 1 else {
            throw unsupported(
                "rank_pattern",
                "one rank and one scale hold for all modules: "
                    + kinds.sorted().joined(separator: "; ")
            )
        }
        // Layers by their number, each with the same modules: the layout names modules of any layer.
        let layers = Dictionary(grouping: factors.layers.map(\.module)) { prefix(of: $0) }
        let sets = Set(layers.values.map { Set($0.map { suffix(of: $0) }) })
        guard sets.count == 1, layers[""] == nil else {
            throw unsupported("target_modules", "every adapted layer has to have the same modules")
        }
    }

    /// `model.layers.3` of `model.layers.3.mlp.up_proj`; empty outside of layers.
    private static func prefix(of module: String) -> String {
        let parts = module.split(separator: ".")
        guard let index = parts.firstIndex(where: { Int($0) != nil }) else { return "" }
        return parts[...index].joined(separator: ".")
    }

    /// `mlp.up_proj` of it.
    private static func suffix(of module: String) -> String {
        let prefix = prefix(of: module)
        return prefix.isEmpty ? module : String(module.dropFirst(prefix.count + 1))
    }

    private static func unsupported(_ key: String, _ message: String) -> CheckpointError {
        CheckpointError(
            .adapterUnsupported,
            "mlx-lm's layout cannot hold it: \(message)",
            file: AdapterFileName.config,
            key: key
        )
    }
}

extension MLXAdapter {
    /// What `adapter_config.json` says there.
    struct Settings {
        let rank: Int
        let scale: Double
        let dropout: Double
        let isDoRA: Bool
        let model: String?

        init(rank: Int, scale: Double, dropout: Double, isDoRA: Bool, model: String?) {
            self.rank = rank
            self.scale = scale
            self.dropout = dropout
            self.isDoRA = isDoRA
            self.model = model
        }

        init(_ json: JSONObject) throws(CheckpointError) {
            let kind = try json.optionalString("fine_tune_type") ?? "lora"
            guard ["lora", "dora"].contains(kind) else {
                throw CheckpointError(
                    .adapterUnsupported,
                    "no adapter of low rank: \(Name.printable(kind))",
                    key: "fine_tune_type"
                )
            }
            let parameters = try json.object("lora_parameters")
            rank = try parameters.integer("rank")
            guard 1...(1 << 20) ~= rank else {
                throw CheckpointError(
                    .adapterRange,
                    "the value is out of range",
                    key: "lora_parameters.rank",
                    expected: "1 or more",
                    found: "\(rank)"
                )
            }
            scale = try parameters.double("scale")
            dropout = try parameters.optionalDouble("dropout") ?? 0
            guard (0...1).contains(dropout) else {
                throw CheckpointError(
                    .adapterRange,
                    "the value is out of range",
                    key: "lora_parameters.dropout",
                    expected: "0 to 1",
                    found: "\(dropout)"
                )
            }
            isDoRA = kind == "dora"
            model = try json.optionalString("model")
        }

        func json(keys: [String]) -> JSONObject {
            var json: JSONObject = [
                "fine_tune_type": .string(isDoRA ? "dora" : "lora"),
                "lora_parameters": .object([
                    "rank": .integer(rank),
                    "scale": .double(scale),
                    "dropout": .double(dropout),
                    "keys": .array(keys.map { .string($0) }),
                ]),
                // All layers.
                "num_layers": .integer(-1),
            ]
            if let model { json["model"] = .string(model) }
            return json
        }
    }
}
