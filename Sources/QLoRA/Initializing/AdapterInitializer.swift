public import CheckpointIO
public import Models
public import Tensors

/// A way to make the factors of a new adapter from the weight that it is for.
///
/// What needs more than the weight, such as activations or gradients, brings it along in the conforming
/// type.
public protocol AdapterInitializer: Sendable {
    /// Whether the weight loses what the factors have, so that both together are what it was.
    var changesBase: Bool { get }

    /// Returns the factors.
    /// - Parameters:
    ///   - weight: the base.
    ///   - rank: of the adapter.
    ///   - scaling: of the adapter.
    ///   - generator: for what is random.
    /// - Returns: `A`, `[r, K]`, and `B`, `[N, r]`.
    /// - Throws: `adapter.range` for a rank that the method cannot have; `num.factorization`.
    func factors(
        of weight: any LinearWeight,
        rank: Int,
        scaling: Double,
        generator: inout SplitMix64
    ) throws(CheckpointError) -> (a: Matrix, b: Matrix)
}

/// A new adapter, and the base that it is for.
public struct InitializedAdapter: Sendable {
    /// The adapter.
    public let adapter: LoRAAdapter
    /// The base without what the adapter has, `W - s B A` in float32; nil where it stays as it is.
    public let residual: Matrix?
}

extension AdapterInitializer {
    /// Makes a new adapter for a layer.
    /// - Parameters:
    ///   - base: the layer.
    ///   - rank: of the adapter.
    ///   - scaling: of the adapter.
    ///   - seed: another one for each layer.
    ///   - isDoRA: whether it has a magnitude: the norms of the rows of the weight.
    ///   - workspace: scratch memory.
    /// - Returns: the adapter, and the base where it changes.
    /// - Throws: what `factors` throws; `limit.memory`.
    public func initialized(
        for base: Linear,
        rank: Int,
        scaling: Double,
        seed: UInt64,
        isDoRA: Bool = false,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> InitializedAdapter {
        var generator = SplitMix64(seed: seed)
        let (a, b) = try factors(
            of: base.weight,
            rank: rank,
            scaling: scaling,
            generator: &generator
        )
        var adapter = LoRAAdapter(a: a, b: b, scaling: scaling)
        guard changesBase else {
            if isDoRA { try adapter.resetMagnitude(on: base, workspace: &workspace) }
            return InitializedAdapter(adapter: adapter, residual: nil)
        }
        var residual = base.weight.dequantized()
        let delta = adapter.delta()
        residual.withMutableElements { elements in
            for index in elements.indices { elements[index] -= delta.elements[index] }
        }
        if isDoRA {
            // The norms of the original weight, which both together are.
            let norms = base.squaredRowNorms(on: .shared())
            adapter.magnitude = norms.map { Float($0.squareRoot()) }
        }
        return InitializedAdapter(adapter: adapter, residual: residual)
    }
}

extension AdapterInitializer {
    /// Makes the factors of linear layers that an adapter selects.
    /// - Parameters:
    ///   - targets: the layers; others than linear ones are left out.
    ///   - config: of the adapter.
    ///   - seed: for what is random; each layer has another one of it.
    ///   - workspace: scratch memory.
    ///   - base: gives the layer of a name.
    /// - Returns: the factors by the names of their modules.
    /// - Throws: `adapter.unsupported` if the method changes the base; what `factors` throws.
    func adapters(
        for targets: [ModuleSelection.Target],
        _ config: LoRAConfig,
        seed: UInt64,
        workspace: inout LayerWorkspace,
        base: (String) -> Linear?
    ) throws(CheckpointError) -> [String: LoRAAdapter] {
        guard !changesBase else {
            throw CheckpointError(
                .adapterUnsupported,
                "the initialisation changes the base, which other adapters share",
                key: "init_lora_weights",
                hint: "initialise the layers, and save and convert the adapter to a plain one"
            )
        }
        var result: [String: LoRAAdapter] = [:]
        for (index, target) in targets.enumerated() where target.module.kind == .linear {
            guard let base = base(target.module.name) else { continue }
            var adapter = try initialized(
                for: base,
                rank: target.rank,
                scaling: target.scaling,
                seed: seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15,
                isDoRA: config.usesDoRA,
                workspace: &workspace
            ).adapter
            adapter.dropout = config.dropout
            if config.hasLoRABias { adapter.bias = [Float](repeating: 0, count: base.outputCount) }
            result[target.module.name] = adapter
        }
        return result
    }
}

extension SplitMix64 {
    /// A matrix of numbers from `-bound` to `bound`.
    mutating func uniform(_ rows: Int, _ columns: Int, bound: Float) -> Matrix {
        var result = Matrix(rowCount: rows, columnCount: columns)
        result.withMutableElements { elements in
            for index in elements.indices {
                let unit = Float(next() >> 40) * 0x1p-24
                elements[index] = (2 * unit - 1) * bound
            }
        }
        return result
    }

    /// A matrix of normal numbers, by the method of Box and Muller.
    mutating func normal(_ rows: Int, _ columns: Int, deviation: Double) -> Matrix {
        var result = Matrix(rowCount: rows, columnCount: columns)
        result.withMutableElements { elements in
            for index in elements.indices {
                // Never zero, whose logarithm there is not.
                let first = (Double(next() >> 11) + 1) * 0x1p-53
                let second = Double(next() >> 11) * 0x1p-53
                let radius = (-2 * PortableMath.logarithm(first)).squareRoot()
                elements[index] = Float(deviation * radius * PortableMath.cosine(ofTurns: second))
            }
        }
        return result
    }
}
