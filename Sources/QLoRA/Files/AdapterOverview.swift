public import CheckpointIO
internal import LinearAlgebra
internal import Machine
internal import Tensors

/// What is in an adapter's folder by the names of its tensors, without a base model.
public struct AdapterOverview: Sendable {
    /// One adapted module.
    public struct Module: Sendable {
        /// Its name in the base.
        public let name: String
        /// What it is: linear unless it is an embedding or a convolution.
        public let kind: ModuleTree.Kind
        /// `r`.
        public let rank: Int
        /// `alpha`.
        public let alpha: Double
        /// `alpha / r`, or with rsLoRA `alpha / √r`.
        public let scaling: Double
        /// `[N, K]` of the weight that the adapter is for; of an embedding `[V, D]`.
        public let shape: [Int]
        /// `‖A‖`.
        public let aNorm: Double
        /// `‖B‖`.
        public let bNorm: Double
        /// `scaling · ‖B · A‖`.
        public let deltaNorm: Double
        /// Whether `B` has a bias.
        public let hasBias: Bool
        /// Whether it is DoRA.
        public let hasMagnitude: Bool
    }

    /// The adapted modules in the order of their names, layers by their numbers.
    public let modules: [Module]
    /// Tensors beside the factors: saved modules, rows of tokens, biases, embeddings of the base.
    public let otherTensors: [TensorDescription]

    /// The numbers of all factors, biases and magnitudes, saved modules and rows included.
    public let parameterCount: Int

    /// Reads all factors of an adapter.
    /// - Throws: `adapter.tensorMissing` for a factor without the other; `adapter.shape`;
    ///   `num.nonFinite`; what reading throws.
    public init(_ folder: AdapterFolder) throws(CheckpointError) {
        var views: [Name: TensorView] = [:]
        for view in folder.tensors { views[view.description.name] = view }
        parameterCount = folder.tensors.reduce(0) { $0 + $1.description.elementCount }
        let ranks = try CompiledPatternTable(folder.config.rankPattern, key: "rank_pattern")
        let alphas = try CompiledPatternTable(folder.config.alphaPattern, key: "alpha_pattern")
        var modules: [Module] = []
        var used: Set<Name> = []
        for view in folder.tensors {
            let key = view.description.name.text
            let kinds = [
                (".lora_A.weight", ".lora_B.weight"), (".lora_embedding_A", ".lora_embedding_B"),
            ]
            guard let (first, second) = kinds.first(where: { key.hasSuffix($0.0) }) else {
                continue
            }
            let path = String(key.dropLast(first.count))
            guard let other = views[Name(path + second)] else {
                throw CheckpointError(
                    .adapterTensorMissing,
                    "a factor is there without the other",
                    file: view.fileName,
                    tensor: Name(path + second)
                )
            }
            let parts = [
                path + ".lora_B.bias", path + ".lora_magnitude_vector",
                path + ".lora_magnitude_vector.weight",
            ].map { Name($0) }
            used.formUnion([view.description.name, Name(path + second)] + parts)
            let prefix = AdapterBinder.prefix
            let name = path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path
            let rank = try ranks.entry(of: name)?.value ?? folder.config.rank
            let alpha = try alphas.entry(of: name)?.value ?? folder.config.alpha
            modules.append(
                try Module(
                    name,
                    a: view,
                    b: other,
                    isEmbedding: first != ".lora_A.weight",
                    rank: rank,
                    alpha: alpha,
                    scaling: folder.config.scaling(rank: rank, alpha: alpha),
                    hasBias: views[parts[0]] != nil,
                    hasMagnitude: views[parts[1]] != nil || views[parts[2]] != nil
                )
            )
        }
        self.modules = modules.sorted { Self.order($0.name) < Self.order($1.name) }
        otherTensors = folder.tensors.map(\.description).filter { !used.contains($0.name) }
    }

    /// Numbers in names count as numbers: layer 2 comes before layer 10.
    private static func order(_ name: String) -> String {
        name.split(separator: ".").map { part in
            Int(part).map { String(repeating: "0", count: max(0, 8 - part.count)) + "\($0)" }
                ?? String(part)
        }.joined(separator: ".")
    }
}

extension AdapterOverview.Module {
    fileprivate init(
        _ name: String,
        a: TensorView,
        b: TensorView,
        isEmbedding: Bool,
        rank: Int,
        alpha: Double,
        scaling: Double,
        hasBias: Bool,
        hasMagnitude: Bool
    ) throws(CheckpointError) {
        let (aShape, bShape) = (a.description.shape, b.description.shape)
        guard aShape.count >= 2, bShape.count >= 2, aShape[0] == rank, bShape[1] == rank else {
            throw CheckpointError(
                .adapterShape,
                "the factors are not those of rank \(rank)",
                file: a.fileName,
                tensor: a.description.name,
                expected: "[\(rank), …] and [\(bShape.first ?? 0), \(rank)]",
                found: "\(aShape) and \(bShape)"
            )
        }
        self.name = name
        self.rank = rank
        self.alpha = alpha
        self.scaling = scaling
        self.hasBias = hasBias
        self.hasMagnitude = hasMagnitude
        kind = isEmbedding ? .embedding : aShape.count > 2 ? .convolution : .linear
        shape = isEmbedding ? [aShape[1], bShape[0]] : [bShape[0]] + aShape.dropFirst()
        let (aValues, bValues) = (try a.finiteFloats(), try b.finiteFloats())
        aNorm = Self.norm(aValues)
        bNorm = Self.norm(bValues)
        // ‖B A‖² is the sum of (A Aᵀ) ⊙ (Bᵀ B).
        let left = Self.gram(aValues, rank, transposes: false)
        let right = Self.gram(bValues, rank, transposes: true)
        let square = zip(left, right).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        deltaNorm = scaling.magnitude * max(square, 0).squareRoot()
    }

    private static func norm(_ values: [Float]) -> Double {
        values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }

    /// `X Xᵀ` of `[r, n]`, or `Xᵀ X` of `[n, r]`.
    private static func gram(_ values: [Float], _ rank: Int, transposes: Bool) -> [Float] {
        var result = [Float](repeating: 0, count: rank * rank)
        values.withFloatSpan { values in
            result.withMutableFloatSpan {
                BLAS.multiply(
                    values,
                    values,
                    into: &$0,
                    shape: ProductShape(
                        rowCount: rank,
                        columnCount: rank,
                        innerCount: values.count / max(rank, 1),
                        transposesA: transposes,
                        transposesB: !transposes
                    )
                )
            }
        }
        return result
    }
}
