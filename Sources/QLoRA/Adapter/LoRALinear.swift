public import CheckpointIO
internal import LinearAlgebra
public import Machine
public import Models
public import SIMDKernels
internal import Tensors

/// A linear layer and its adapters: the base stays as it is, also on 4-bit codes.
///
/// Active adapters apply in their order. Plain ones add `s (x_d Aᵀ Bᵀ + c)`; one with a magnitude
/// scales what stands before it: `y = g ⊙ (x Wᵀ + … + s x Aᵀ Bᵀ) + b` with `g = m / ‖W + s B A‖`. In
/// training with dropout, where `x_d` is what is left of `x`, DoRA is
/// `x Wᵀ + b + (g - 1) ⊙ x_d Wᵀ + g ⊙ s x_d Aᵀ Bᵀ`. Norms are constants to gradients (Liu et al. 2024,
/// section 4.3).
public struct LoRALinear: Sendable {
    /// The layer that is adapted.
    public let base: Linear
    /// The adapters by name.
    public private(set) var adapters: [String: LoRAAdapter] = [:]
    /// The names of those that apply, in their order.
    public private(set) var activeNames: [String] = []

    /// Wraps a layer, without adapters as yet.
    public init(_ base: Linear) {
        self.base = base
    }

    /// Adds or replaces an adapter, which does not become active by that.
    /// - Precondition: its sizes are those of the layer.
    public mutating func setAdapter(_ name: String, to adapter: LoRAAdapter) {
        precondition(
            adapter.inputCount == base.inputCount && adapter.outputCount == base.outputCount,
            "an adapter [\(adapter.outputCount), \(adapter.inputCount)] for a layer "
                + "[\(base.outputCount), \(base.inputCount)]"
        )
        adapters[name] = adapter
    }

    /// Removes an adapter.
    public mutating func removeAdapter(_ name: String) {
        adapters[name] = nil
        activeNames.removeAll { $0 == name }
    }

    /// Makes adapters active, in this order; names that the layer has not are left out.
    /// - Precondition: no name stands twice.
    public mutating func activate(_ names: [String]) {
        precondition(Set(names).count == names.count, "an adapter is active once: \(names)")
        activeNames = names.filter { adapters[$0] != nil }
    }

    /// Changes an adapter, such as by an optimizer's step.
    public mutating func updateAdapter(_ name: String, _ body: (inout LoRAAdapter) -> Void) {
        guard var adapter = adapters.removeValue(forKey: name) else { return }
        body(&adapter)
        setAdapter(name, to: adapter)
    }

    /// The adapters that apply, in their order.
    var active: [LoRAAdapter] { activeNames.compactMap { adapters[$0] } }

    /// What the backward pass needs beside activations: the products with `A`, `[M, r]` for each active
    /// adapter, and what was dropped.
    public struct Saved: Sendable {
        var products: [[Float]] = []
        var dropout = Dropout.off

        /// Nothing yet.
        public init() {}
    }

    /// Computes the layer's outputs.
    /// - Parameters:
    ///   - x: `M` rows of `K` activations.
    ///   - y: receives `M` rows of `N` numbers.
    ///   - mode: how operands of the product with the base are rounded; the adapters' are float32.
    ///   - dropout: which activations reach adapters.
    ///   - saved: receives what `backward` needs; its memory is used again.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    /// - Precondition: with dropout at most one active adapter has a magnitude: with more,
    ///   training and evaluation would differ.
    public func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        mode: ComputeMode = .bfloat16,
        dropout: Dropout = .off,
        saved: inout Saved,
        workspace: inout LayerWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        let active = active
        let hasMagnitude = active.contains { $0.magnitude != nil }
        try base.weight.multiply(
            x,
            into: &y,
            mode: mode,
            bias: hasMagnitude ? nil : base.bias,
            accumulates: false,
            workspace: &workspace.products,
            on: workers
        )
        checkDropout(dropout, active)
        let rows = base.inputCount == 0 ? 0 : x.count / base.inputCount
        saved.dropout = dropout
        for buffer in saved.products { workspace.giveBack(buffer) }
        saved.products = []
        for (position, adapter) in active.enumerated() {
            var product = workspace.take(rows * adapter.rank)
            try withDropped(x, adapter, position, dropout, &workspace) {
                (dropped, workspace) throws(CheckpointError) in
                adapter.projectDown(dropped, into: &product, on: workers)
                if adapter.magnitude != nil, adapter.drops(dropout) {
                    try addDroppedDoRA(adapter, dropped, product, &y, mode, &workspace, workers)
                } else {
                    adapter.addProjectionUp(product, to: &y, on: workers)
                }
            }
            if let magnitude = adapter.magnitude, !adapter.drops(dropout) {
                let norms = try adapter.rowNorms(on: base, workspace: &workspace, workers: workers)
                let factors = adapter.rowFactors(magnitude: magnitude, norms: norms)
                Columns.scale(&y, by: factors, adding: nil, on: workers)
            }
            saved.products.append(product)
        }
        if hasMagnitude { Columns.scale(&y, by: nil, adding: base.bias, on: workers) }
    }

    /// Adds `(g - 1) ⊙ (u) + s x_d Aᵀ Bᵀ` with `u = x_d Wᵀ + s x_d Aᵀ Bᵀ`.
    private func addDroppedDoRA(
        _ adapter: LoRAAdapter,
        _ dropped: Span<Float>,
        _ product: [Float],
        _ y: inout MutableSpan<Float>,
        _ mode: ComputeMode,
        _ workspace: inout LayerWorkspace,
        _ workers: WorkerPool
    ) throws(CheckpointError) {
        var sums = workspace.take(y.count)
        try computeSums([(adapter, product)], dropped, into: &sums, mode, &workspace, workers)
        let norms = try adapter.rowNorms(on: base, workspace: &workspace, workers: workers)
        let factors = adapter.rowFactors(magnitude: adapter.magnitude ?? [], norms: norms)
        sums.withFloatSpan {
            Columns.add($0, times: factors.map { $0 - 1 }, to: &y, on: workers)
        }
        adapter.addProjectionUp(product, to: &y, on: workers)
        workspace.giveBack(sums)
    }

    /// Computes what stands before the last magnitude: `u = g ⊙ (…) + s h Bᵀ`, from `x Wᵀ` on.
    func computeSums(
        _ adapters: [(adapter: LoRAAdapter, product: [Float])],
        _ x: Span<Float>,
        into sums: inout [Float],
        _ mode: ComputeMode,
        _ workspace: inout LayerWorkspace,
        _ workers: WorkerPool
    ) throws(CheckpointError) {
        try sums.withMutableFloatSpan { (sums) throws(CheckpointError) in
            try base.weight.multiply(
                x,
                into: &sums,
                mode: mode,
                bias: nil,
                accumulates: false,
                workspace: &workspace.products,
                on: workers
            )
            for (index, (adapter, product)) in adapters.enumerated() {
                adapter.addProjectionUp(product, to: &sums, on: workers)
                guard index < adapters.count - 1, let magnitude = adapter.magnitude else {
                    continue
                }
                let norms = try adapter.rowNorms(on: base, workspace: &workspace, workers: workers)
                let factors = adapter.rowFactors(magnitude: magnitude, norms: norms)
                Columns.scale(&sums, by: factors, adding: nil, on: workers)
            }
        }
    }

    /// Calls `body` with the activations that reach an adapter.
    func withDropped(
        _ x: Span<Float>,
        _ adapter: LoRAAdapter,
        _ position: Int,
        _ dropout: Dropout,
        _ workspace: inout LayerWorkspace,
        _ body: (Span<Float>, inout LayerWorkspace) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        guard adapter.drops(dropout) else { return try body(x, &workspace) }
        var dropped = workspace.take(x.count)
        dropped.withMutableFloatSpan {
            dropout.apply(to: x, into: &$0, position: position, probability: adapter.dropout)
        }
        try dropped.withFloatSpan { (dropped) throws(CheckpointError) in
            try body(dropped, &workspace)
        }
        workspace.giveBack(dropped)
    }

    private func checkDropout(_ dropout: Dropout, _ active: [LoRAAdapter]) {
        let magnitudes = active.filter { $0.magnitude != nil }
        precondition(
            magnitudes.count < 2 || !magnitudes.contains { $0.drops(dropout) },
            "\(magnitudes.count) DoRA adapters are trained with dropout on one layer"
        )
    }
}

extension LoRAAdapter {
    /// Whether activations are dropped on their way to `A`.
    func drops(_ dropout: Dropout) -> Bool { self.dropout > 0 && !dropout.isOff }

    /// Computes `h = x Aᵀ`, `[M, r]`.
    func projectDown(_ x: Span<Float>, into h: inout [Float], on workers: WorkerPool) {
        let shape = ProductShape(
            rowCount: inputCount == 0 ? 0 : x.count / inputCount,
            columnCount: rank,
            innerCount: inputCount,
            transposesB: true
        )
        a.elements.withFloatSpan { a in
            h.withMutableFloatSpan { BLAS.multiply(x, a, into: &$0, shape: shape, on: workers) }
        }
    }

    /// Adds `s (h Bᵀ + c)` to `y`.
    func addProjectionUp(_ h: [Float], to y: inout MutableSpan<Float>, on workers: WorkerPool) {
        let shape = ProductShape(
            rowCount: rank == 0 ? 0 : h.count / rank,
            columnCount: outputCount,
            innerCount: rank,
            transposesB: true
        )
        h.withFloatSpan { h in
            b.elements.withFloatSpan { b in
                BLAS.multiply(
                    h,
                    b,
                    into: &y,
                    shape: shape,
                    scale: Float(scaling),
                    accumulates: true,
                    on: workers
                )
            }
        }
        guard let bias else { return }
        let scaled = bias.map { Float(scaling) * $0 }
        Columns.scale(&y, by: nil, adding: scaled, on: workers)
    }
}
