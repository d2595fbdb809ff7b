public import CheckpointIO
internal import LinearAlgebra
public import Machine
public import Models
public import SIMDKernels
internal import Tensors

extension LoRALinear {
    /// Computes the gradient in the activations, and adds those in the factors.
    ///
    /// For a plain adapter, with `gh = s dy B`: `dB += s dyᵀ h`, `dA += ghᵀ x_d`, `dc += s Σ dy`,
    /// `dx = dy W + Σ (gh A) ⊙ k`. Before an adapter with a magnitude `dy` becomes `g ⊙ dy`, and
    /// `dm += Σ dy ⊙ u / n`, where `u` is what the magnitude scales.
    /// - Parameters:
    ///   - dy: `M` rows of `N` gradients.
    ///   - x: the activations of `forward`.
    ///   - y: its outputs, which tell what a magnitude scaled.
    ///   - dx: receives `M` rows of `K` numbers.
    ///   - gradients: by name; active adapters without an entry are frozen.
    ///   - saved: of `forward`.
    ///   - mode: how operands of the products with the base are rounded; `.int8` stands for
    ///     `.bfloat16` here.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    /// - Precondition: the same adapters are active as in `forward`.
    public func backward(
        _ dy: Span<Float>,
        x: Span<Float>,
        y: Span<Float>,
        into dx: inout MutableSpan<Float>,
        gradients: inout [String: LoRAGradients],
        saved: Saved,
        mode: ComputeMode = .bfloat16,
        workspace: inout LayerWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        let active = active
        precondition(saved.products.count == active.count, "other adapters than in forward")
        let mode = mode.ofGradients
        // The gradient of what stands before each adapter, from the last to the first.
        var flow = workspace.take(dy.count)
        flow.withMutableFloatSpan { flow in for index in dy.indices { flow[index] = dy[index] } }
        for index in dx.indices { dx[index] = 0 }
        for (position, adapter) in active.enumerated().reversed() {
            guard let magnitude = adapter.magnitude else {
                try addAdapter(
                    flow,
                    x,
                    (adapter, position),
                    saved,
                    to: &dx,
                    &gradients[activeNames[position]],
                    &workspace,
                    workers
                )
                continue
            }
            let norms = try adapter.rowNorms(on: base, workspace: &workspace, workers: workers)
            let factors = adapter.rowFactors(magnitude: magnitude, norms: norms)
            if gradients[activeNames[position]] != nil {
                let sums = try magnitudeSums(
                    position,
                    active,
                    (flow, x, y),
                    factors,
                    saved,
                    mode,
                    &workspace,
                    workers
                )
                gradients[activeNames[position]]?.addMagnitude(sums, norms: norms)
            }
            if adapter.drops(saved.dropout) {
                // The product with all of x keeps its own flow.
                var scaled = flow
                scaled.withMutableFloatSpan {
                    Columns.scale(&$0, by: factors, adding: nil, on: workers)
                }
                try addDroppedBase(
                    flow,
                    factors,
                    adapter,
                    position,
                    saved,
                    mode,
                    to: &dx,
                    &workspace,
                    workers
                )
                try addAdapter(
                    scaled,
                    x,
                    (adapter, position),
                    saved,
                    to: &dx,
                    &gradients[activeNames[position]],
                    &workspace,
                    workers
                )
            } else {
                flow.withMutableFloatSpan {
                    Columns.scale(&$0, by: factors, adding: nil, on: workers)
                }
                try addAdapter(
                    flow,
                    x,
                    (adapter, position),
                    saved,
                    to: &dx,
                    &gradients[activeNames[position]],
                    &workspace,
                    workers
                )
            }
        }
        try flow.withFloatSpan { (flow) throws(CheckpointError) in
            try base.weight.multiplyTransposed(
                flow,
                into: &dx,
                mode: mode,
                accumulates: true,
                workspace: &workspace.products,
                on: workers
            )
        }
        workspace.giveBack(flow)
    }

    /// Adds an adapter's part of `dx`, and the gradients of its factors if they are asked for.
    private func addAdapter(
        _ dy: [Float],
        _ x: Span<Float>,
        _ adapter: (factors: LoRAAdapter, position: Int),
        _ saved: Saved,
        to dx: inout MutableSpan<Float>,
        _ gradients: inout LoRAGradients?,
        _ workspace: inout LayerWorkspace,
        _ workers: WorkerPool
    ) throws(CheckpointError) {
        let (factors, position) = adapter
        let product = saved.products[position]
        var inner = workspace.take(product.count)
        dy.withFloatSpan { dy in
            factors.flowDown(dy, into: &inner, on: workers)
            gradients?.addUp(dy, product, factors, on: workers)
        }
        if gradients != nil {
            try withDropped(x, factors, position, saved.dropout, &workspace) { dropped, _ in
                gradients?.addDown(inner, dropped, factors, on: workers)
            }
        }
        if factors.drops(saved.dropout) {
            var reached = workspace.take(dx.count)
            reached.withMutableFloatSpan {
                factors.flowToInput(inner, into: &$0, accumulates: false, on: workers)
            }
            addKept(reached, factors, position, saved.dropout, to: &dx, &workspace)
            workspace.giveBack(reached)
        } else {
            factors.flowToInput(inner, into: &dx, accumulates: true, on: workers)
        }
        workspace.giveBack(inner)
    }

    /// Adds `k ⊙ ((dy ⊙ (g - 1)) W)`: DoRA scales the product with what dropout left.
    private func addDroppedBase(
        _ dy: [Float],
        _ rowFactors: [Float],
        _ adapter: LoRAAdapter,
        _ position: Int,
        _ saved: Saved,
        _ mode: ComputeMode,
        to dx: inout MutableSpan<Float>,
        _ workspace: inout LayerWorkspace,
        _ workers: WorkerPool
    ) throws(CheckpointError) {
        var scaled = dy
        var reached = workspace.take(dx.count)
        scaled.withMutableFloatSpan {
            Columns.scale(&$0, by: rowFactors.map { $0 - 1 }, adding: nil, on: workers)
        }
        try scaled.withFloatSpan { (scaled) throws(CheckpointError) in
            try reached.withMutableFloatSpan { (reached) throws(CheckpointError) in
                try base.weight.multiplyTransposed(
                    scaled,
                    into: &reached,
                    mode: mode,
                    accumulates: false,
                    workspace: &workspace.products,
                    on: workers
                )
            }
        }
        addKept(reached, adapter, position, saved.dropout, to: &dx, &workspace)
        workspace.giveBack(reached)
    }

    /// Adds `k ⊙ gradient` to `dx`.
    private func addKept(
        _ gradient: [Float],
        _ adapter: LoRAAdapter,
        _ position: Int,
        _ dropout: Dropout,
        to dx: inout MutableSpan<Float>,
        _ workspace: inout LayerWorkspace
    ) {
        var kept = workspace.take(gradient.count)
        gradient.withFloatSpan { gradient in
            kept.withMutableFloatSpan {
                dropout.apply(
                    to: gradient,
                    into: &$0,
                    position: position,
                    probability: adapter.dropout
                )
            }
        }
        for index in dx.indices { dx[index] += kept[index] }
        workspace.giveBack(kept)
    }

    /// Below this, outputs tell too little of what the magnitude scaled.
    private static let leastRowFactor: Float = 1e-3

    /// Returns `Σ dy ⊙ u` for each output, where `u` is what the adapter's magnitude scales.
    private func magnitudeSums(
        _ position: Int,
        _ active: [LoRAAdapter],
        _ pass: (dy: [Float], x: Span<Float>, y: Span<Float>),
        _ factors: [Float],
        _ saved: Saved,
        _ mode: ComputeMode,
        _ workspace: inout LayerWorkspace,
        _ workers: WorkerPool
    ) throws(CheckpointError) -> [Float] {
        let adapter = active[position]
        let outputs = adapter.outputCount
        if position == active.count - 1, !adapter.drops(saved.dropout),
            factors.allSatisfy({ $0.magnitude >= Self.leastRowFactor })
        {
            // y = g ⊙ u + b
            let products = pass.dy.withFloatSpan { dy in
                Columns.dotProducts(dy, pass.y, count: outputs, on: workers)
            }
            let offsets =
                base.bias.map { bias in
                    let sums = pass.dy.withFloatSpan {
                        Columns.sums($0, count: outputs, on: workers)
                    }
                    return zip(sums, bias).map { $0 * $1 }
                } ?? [Float](repeating: 0, count: outputs)
            return (0..<outputs).map { (products[$0] - offsets[$0]) / factors[$0] }
        }
        var sums = workspace.take(pass.dy.count)
        let before =
            adapter.drops(saved.dropout)
            ? [(adapter, saved.products[position])]
            : Array(zip(active, saved.products))[...position].map { ($0, $1) }
        try withDropped(pass.x, adapter, position, saved.dropout, &workspace) {
            (dropped, workspace) throws(CheckpointError) in
            try computeSums(before, dropped, into: &sums, mode, &workspace, workers)
        }
        let result = pass.dy.withFloatSpan { dy in
            sums.withFloatSpan { Columns.dotProducts(dy, $0, count: outputs, on: workers) }
        }
        workspace.giveBack(sums)
        return result
    }
}

extension LoRAAdapter {
    /// Computes `gh = s dy B`, `[M, r]`.
    fileprivate func flowDown(
        _ dy: Span<Float>,
        into inner: inout [Float],
        on workers: WorkerPool
    ) {
        let shape = ProductShape(
            rowCount: outputCount == 0 ? 0 : dy.count / outputCount,
            columnCount: rank,
            innerCount: outputCount
        )
        b.elements.withFloatSpan { b in
            inner.withMutableFloatSpan {
                BLAS.multiply(dy, b, into: &$0, shape: shape, scale: Float(scaling), on: workers)
            }
        }
    }

    /// Computes `gh A` (+ dx), `[M, K]`.
    fileprivate func flowToInput(
        _ inner: [Float],
        into dx: inout MutableSpan<Float>,
        accumulates: Bool,
        on workers: WorkerPool
    ) {
        let shape = ProductShape(
            rowCount: rank == 0 ? 0 : inner.count / rank,
            columnCount: inputCount,
            innerCount: rank
        )
        inner.withFloatSpan { inner in
            a.elements.withFloatSpan { a in
                BLAS.multiply(
                    inner,
                    a,
                    into: &dx,
                    shape: shape,
                    accumulates: accumulates,
                    on: workers
                )
            }
        }
    }
}

extension LoRAGradients {
    /// Adds `s dyᵀ h` and `s Σ dy`.
    fileprivate mutating func addUp(
        _ dy: Span<Float>,
        _ product: [Float],
        _ adapter: LoRAAdapter,
        on workers: WorkerPool
    ) {
        let shape = ProductShape(
            rowCount: adapter.outputCount,
            columnCount: adapter.rank,
            innerCount: product.count / max(adapter.rank, 1),
            transposesA: true
        )
        product.withFloatSpan { product in
            b.withMutableElements {
                BLAS.multiply(
                    dy,
                    product,
                    into: &$0,
                    shape: shape,
                    scale: Float(adapter.scaling),
                    accumulates: true,
                    on: workers
                )
            }
        }
        guard bias != nil else { return }
        let sums = Columns.sums(dy, count: adapter.outputCount, on: workers)
        for index in sums.indices { bias?[index] += Float(adapter.scaling) * sums[index] }
    }

    /// Adds `ghᵀ x_d`.
    fileprivate mutating func addDown(
        _ inner: [Float],
        _ x: Span<Float>,
        _ adapter: LoRAAdapter,
        on workers: WorkerPool
    ) {
        let shape = ProductShape(
            rowCount: adapter.rank,
            columnCount: adapter.inputCount,
            innerCount: inner.count / max(adapter.rank, 1),
            transposesA: true
        )
        inner.withFloatSpan { inner in
            a.withMutableElements {
                BLAS.multiply(inner, x, into: &$0, shape: shape, accumulates: true, on: workers)
            }
        }
    }

    /// Adds `Σ dy ⊙ u / n`; nothing where the row is zero.
    fileprivate mutating func addMagnitude(_ sums: [Float], norms: [Float]) {
        for index in norms.indices where norms[index] != 0 {
            magnitude?[index] += sums[index] / norms[index]
        }
    }
}
