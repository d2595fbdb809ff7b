internal import CheckpointIO
internal import Tensors

/// All factors of an adapter in memory, by the names of its tensors, without a base model.
struct AdapterFactors {
    let layers: [AdapterContents.Layer]
    /// Tensors beside the factors, as they are.
    let otherTensors: [TensorBytes]
    /// The type of the factors.
    let dtype: FloatDType

    /// Reads a folder.
    static func read(_ folder: AdapterFolder) throws(CheckpointError) -> AdapterFactors {
        var views: [Name: TensorView] = [:]
        for view in folder.tensors { views[view.description.name] = view }
        let overview = try AdapterOverview(folder)
        var layers: [AdapterContents.Layer] = []
        for module in overview.modules {
            let prefix = AdapterBinder.prefix + module.name
            let parts =
                module.kind == .embedding
                ? (".lora_embedding_A", ".lora_embedding_B") : (".lora_A.weight", ".lora_B.weight")
            guard let a = views[Name(prefix + parts.0)], let b = views[Name(prefix + parts.1)]
            else {
                throw CheckpointError(
                    .adapterTensorUnused,
                    "names in an adapter's file start with \(AdapterBinder.prefix)",
                    file: AdapterFileName.weights
                )
            }
            let magnitude =
                views[Name(prefix + ".lora_magnitude_vector")]
                ?? views[Name(prefix + ".lora_magnitude_vector.weight")]
            let bias = views[Name(prefix + ".lora_B.bias")]
            let (aShape, bShape) = (a.description.shape, b.description.shape)
            layers.append(
                AdapterContents.Layer(
                    module.name,
                    try LoRAAdapter(
                        reading: a,
                        b,
                        bias: bias,
                        magnitude: magnitude,
                        scaling: module.scaling
                    ),
                    kind: module.kind,
                    shapes: aShape.count > 2 ? (aShape, bShape) : nil
                )
            )
        }
        var others: [TensorBytes] = []
        for description in overview.otherTensors {
            guard let view = views[description.name] else { continue }
            var bytes = [UInt8](repeating: 0, count: description.byteCount)
            try bytes.withMutableRawSpan { (bytes) throws(CheckpointError) in
                try view.read(0..<description.elementCount, into: &bytes)
            }
            others.append(TensorBytes(description, bytes))
        }
        let first = folder.tensors.first { $0.description.name.text.contains(".lora_") }
        return AdapterFactors(
            layers: layers,
            otherTensors: others,
            dtype: first.flatMap { FloatDType($0.description.dtype) } ?? .float32
        )
    }

    /// The factors of a folder by module.
    static func byModule(_ folder: AdapterFolder) throws(CheckpointError) -> [String: LoRAAdapter] {
        Dictionary(
            try read(folder).layers.map { ($0.module, $0.adapter) },
            uniquingKeysWith: { first, _ in first }
        )
    }
}
