public import CheckpointIO
internal import Machine
public import Quant
public import Tensors

/// An adapter in memory, to be written as PEFT saves one.
public struct AdapterContents: Sendable {
    /// The configuration.
    public var config: LoRAConfig
    /// The factors of adapted modules.
    public var layers: [Layer]
    /// Tensors beside them, named as in the file.
    public var otherTensors: [TensorBytes]
    /// The type in which factors are written.
    public var dtype: FloatDType

    /// The base that the adapter belongs to, where it belongs to one alone.
    var baseCheck: BaseCheck?

    /// The factors of one module.
    public struct Layer: Sendable {
        /// The module's name in the base.
        public let module: String
        /// What it is; of an embedding `A` is `[r, V]` and `B` `[D, r]`.
        public let kind: ModuleTree.Kind
        /// The factors.
        public var adapter: LoRAAdapter
        /// The shapes in the file of `A` and `B`, where they have more than two dimensions.
        public let shapes: (a: [Int], b: [Int])?

        /// Names factors.
        public init(
            _ module: String,
            _ adapter: LoRAAdapter,
            kind: ModuleTree.Kind = .linear,
            shapes: (a: [Int], b: [Int])? = nil
        ) {
            self.module = module
            self.kind = kind
            self.adapter = adapter
            self.shapes = shapes
        }
    }

    /// Puts together an adapter.
    public init(
        _ config: LoRAConfig,
        layers: [Layer],
        otherTensors: [TensorBytes] = [],
        dtype: FloatDType = .float32
    ) {
        self.config = config
        self.layers = layers
        self.otherTensors = otherTensors
        self.dtype = dtype
    }

    /// Returns the tensors of the file, under their names there.
    /// - Throws: `num.overflow` if a number does not fit the type.
    public func tensors() throws(CheckpointError) -> [TensorBytes] {
        var tensors: [TensorBytes] = []
        for layer in layers {
            let prefix = AdapterBinder.prefix + layer.module
            let isEmbedding = layer.kind == .embedding
            let adapter = layer.adapter
            var parts: [(name: String, shape: [Int], values: [Float])] = [
                (
                    isEmbedding ? ".lora_embedding_A" : ".lora_A.weight",
                    layer.shapes?.a ?? [adapter.a.rowCount, adapter.a.columnCount],
                    adapter.a.elements
                ),
                (
                    isEmbedding ? ".lora_embedding_B" : ".lora_B.weight",
                    layer.shapes?.b ?? [adapter.b.rowCount, adapter.b.columnCount],
                    adapter.b.elements
                ),
            ]
            if let bias = adapter.bias { parts.append((".lora_B.bias", [bias.count], bias)) }
            if let magnitude = adapter.magnitude {
                parts.append((".lora_magnitude_vector", [magnitude.count], magnitude))
            }
            for part in parts {
                let name = Name(prefix + part.name)
                tensors.append(
                    TensorBytes(
                        TensorDescription(name: name, dtype: dtype.dtype, shape: part.shape),
                        try part.values.bytes(as: dtype, of: name)
                    )
                )
            }
        }
        return tensors + otherTensors
    }

    /// The tensors in a file of a linear layer's factors in float32, `A` first.
    package static func descriptions(
        _ module: String,
        rank: Int,
        rowCount: Int,
        columnCount: Int
    ) -> [TensorDescription] {
        let prefix = AdapterBinder.prefix + module
        return [
            TensorDescription(
                name: Name(prefix + ".lora_A.weight"),
                dtype: .float32,
                shape: [rank, columnCount]
            ),
            TensorDescription(
                name: Name(prefix + ".lora_B.weight"),
                dtype: .float32,
                shape: [rowCount, rank]
            ),
        ]
    }

    /// Writes the folder; it appears whole or not at all.
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - sources: folders that it must not lie in.
    ///   - options: how to run.
    /// - Throws: `output.…`, `file.…`; `st.duplicateName` for two tensors with one name.
    public func write(
        to destination: String,
        sources: [String] = [],
        options: RunOptions = RunOptions()
    ) throws(CheckpointError) {
        try FolderWriter.write(
            [(AdapterFileName.config, config.text)],
            (AdapterFileName.weights, try tensors()),
            metadata: baseCheck.map { [$0.metadata] } ?? [],
            to: destination,
            sources: sources,
            options: options
        )
    }
}

extension [Float] {
    /// The numbers rounded to a type, little-endian.
    func bytes(as dtype: FloatDType, of name: Name) throws(CheckpointError) -> [UInt8] {
        guard dtype != .float32 else { return littleEndianBytes }
        let matrix = Matrix(rowCount: 1, columnCount: count, elements: self)
        let source = RoundedFloats(MatrixFloats(matrix, name: name), to: dtype)
        var bytes = [UInt8](repeating: 0, count: count * dtype.byteCount)
        try bytes.withMutableRawSpan { (bytes) throws(CheckpointError) in
            try source.read(0..<count, into: &bytes)
        }
        return bytes
    }
}
