public import CheckpointIO
internal import LinearAlgebra
internal import Machine
public import Models
internal import Quant
internal import SIMDKernels
public import Tensors

/// An embedding and its adapters: `y[t] = e (W[i] + s B A[:, i])`, with a magnitude
/// `y[t] = e g ⊙ (W[i] + s B A[:, i])`.
///
/// `A` is `[r, V]` and `B` `[D, r]`. A magnitude has one number for each dimension, and its norms go over all
/// rows: `g = m / ‖Wᵀ + s B A‖`. There is no dropout, as in PEFT. The padding row has no gradient, and its
/// column of `A` counts all the same.
public struct LoRAEmbedding: Sendable {
    /// The layer that is adapted.
    public let base: Embedding
    /// The adapters by name.
    public private(set) var adapters: [String: LoRAAdapter] = [:]
    /// The names of those that apply, in their order.
    public private(set) var activeNames: [String] = []
    /// The table from rows to dimensions, as norms want it.
    let columns: Linear

    /// Wraps a layer, without adapters as yet.
    public init(_ base: Embedding) {
        self.base = base
        columns = Linear(TransposedWeight(base.weight))
    }

    /// Adds or replaces an adapter, which does not become active by that.
    /// - Precondition: `A` has `V` columns and `B` `D` rows.
    public mutating func setAdapter(_ name: String, to adapter: LoRAAdapter) {
        precondition(
            adapter.inputCount == base.rowCount && adapter.outputCount == base.width
                && adapter.bias == nil,
            "an adapter from \(adapter.inputCount) rows to \(adapter.outputCount) dimensions for "
                + "[\(base.rowCount), \(base.width)]"
        )
        adapters[name] = adapter
    }

    /// Makes adapters active, in this order; names that the layer has not are left out.
    public mutating func activate(_ names: [String]) {
        activeNames = names.filter { adapters[$0] != nil }
    }

    /// A forward pass with everything that going backwards needs.
    public struct Pass: Sendable {
        /// The outputs, `[count, D]`.
        public let y: Matrix
        let tokens: [Int]
        /// What stands before the factor of each active adapter, without `e`.
        let sums: [Matrix]
        let factors: [[Float]?]
    }

    /// Computes the layer's outputs.
    /// - Parameters:
    ///   - tokens: each less than `V`.
    ///   - workspace: scratch memory.
    /// - Returns: the outputs, and what `backward` needs.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    public func forward(
        _ tokens: [Int],
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> Pass {
        var y = base.rows(tokens)
        var sums: [Matrix] = []
        var allFactors: [[Float]?] = []
        for adapter in activeNames.compactMap({ adapters[$0] }) {
            BLAS.addProduct(
                adapter.columns(of: tokens),
                adapter.b.transposed(),
                to: &y,
                scale: Float(adapter.scaling)
            )
            sums.append(y)
            guard let magnitude = adapter.magnitude else {
                allFactors.append(nil)
                continue
            }
            let norms = try adapter.rowNorms(on: columns, workspace: &workspace, workers: .shared())
            let factors = adapter.rowFactors(magnitude: magnitude, norms: norms)
            y.withMutableElements {
                Columns.scale(&$0, by: factors, adding: nil, on: .shared())
            }
            allFactors.append(factors)
        }
        if base.scale != 1 {
            y.withMutableElements { elements in
                for index in elements.indices { elements[index] *= base.scale }
            }
        }
        return Pass(y: y, tokens: tokens, sums: sums, factors: allFactors)
    }

    /// Computes the gradients of the active adapters; norms are constants.
    /// - Parameters:
    ///   - dy: `[count, D]`.
    ///   - pass: of `forward`.
    ///   - workspace: scratch memory.
    /// - Returns: the gradients by name.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    public func backward(
        _ dy: Matrix,
        of pass: Pass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> [String: LoRAGradients] {
        var flow = dy
        flow.withMutableElements { elements in
            for index in elements.indices { elements[index] *= base.scale }
        }
        var result: [String: LoRAGradients] = [:]
        for (position, name) in activeNames.enumerated().reversed() {
            guard let adapter = adapters[name] else { continue }
            var gradients = LoRAGradients(of: adapter)
            if let factors = pass.factors[position] {
                let norms = try adapter.rowNorms(
                    on: columns,
                    workspace: &workspace,
                    workers: .shared()
                )
                for dimension in 0..<base.width where norms[dimension] != 0 {
                    var sum: Float = 0
                    for place in 0..<flow.rowCount {
                        sum += flow[place, dimension] * pass.sums[position][place, dimension]
                    }
                    gradients.magnitude?[dimension] = sum / norms[dimension]
                }
                flow.withMutableElements {
                    Columns.scale(&$0, by: factors, adding: nil, on: .shared())
                }
            }
            let scaling = Float(adapter.scaling)
            let columns = adapter.columns(of: pass.tokens)
            gradients.b = BLAS.product(flow.transposed(), columns, scale: scaling)
            let inner = BLAS.product(flow, adapter.b, scale: scaling)
            for (place, token) in pass.tokens.enumerated() where token != base.paddingIndex {
                for row in 0..<adapter.rank { gradients.a[row, token] += inner[place, row] }
            }
            result[name] = gradients
        }
        return result
    }
}

extension LoRAAdapter {
    /// The columns of `A` for some tokens, `[count, r]`.
    fileprivate func columns(of tokens: [Int]) -> Matrix {
        var result = Matrix(rowCount: tokens.count, columnCount: rank)
        for (place, token) in tokens.enumerated() {
            for row in 0..<rank { result[place, row] = a[row, token] }
        }
        return result
    }
}

/// A weight with rows and columns exchanged, in place.
private struct TransposedWeight: LinearWeight {
    let base: DenseWeight

    init(_ base: DenseWeight) { self.base = base }

    var rowCount: Int { base.columnCount }
    var columnCount: Int { base.rowCount }
    var dtype: FloatDType { base.dtype }

    func multiply(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        mode: ComputeMode,
        bias: [Float]?,
        accumulates: Bool,
        workspace: inout ProductWorkspace,
        on workers: WorkerPool
    ) throws(CheckpointError) {
        precondition(bias == nil, "a transposed weight has no bias")
        try base.multiplyTransposed(
            x,
            into: &y,
            mode: mode,
            accumulates: accumulates,
            workspace: &workspace,
            on: workers
        )
    }

    func multiplyTransposed(
        _ dy: Span<Float>,
        into dx: inout MutableSpan<Float>,
        mode: ComputeMode,
        accumulates: Bool,
        workspace: inout ProductWorkspace,
        on workers: WorkerPool
    ) throws(CheckpointError) {
        try base.multiply(
            dy,
            into: &dx,
            mode: mode,
            accumulates: accumulates,
            workspace: &workspace,
            on: workers
        )
    }

    func squaredRowNorms(on workers: WorkerPool) -> [Double] {
        var sums = [Double](repeating: 0, count: rowCount)
        for row in 0..<base.rowCount {
            for (column, element) in base.row(row).enumerated() {
                sums[column] += Double(element) * Double(element)
            }
        }
        return sums
    }

    func dequantized() -> Matrix { base.dequantized().transposed() }
}
