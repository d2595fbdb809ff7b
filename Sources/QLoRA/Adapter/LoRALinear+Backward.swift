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
        let pass = BackwardPass(
            active: active,
            saved: saved,
            mode: mode.ofGradients,
            workers: workers
        )
        precondition(
            saved.products.count == pass.active.count,
            "other adapters than in forward"
        )
        Rows.fill(&dx, with: 0)
        // The gradient of what stands before each adapter, from the last to the first.
        var flow = workspace.take(dy.count)
        flow.withMutableFloatSpan { Rows.copy(dy, into: &$0) }
        for position in pass.active.indices.reversed() {
            let adapter = pass.active[position]
            guard let magnitude = adapter.magnitude else {
                try addAdapter(position, flow, x, pass, to: &dx, &gradients, &workspace)
                continue
            }
            let norms = try adapter.rowNorms(on: base, workspace: &workspace, workers: workers)
            let factors = adapter.rowFactors(magnitude: magnitude, norms: norms)
            if gradients[activeNames[position]] != nil {
                let sums = try magnitudeSums(position, (flow, x, y), factors, pass, &workspace)
                gradients[activeNames[position]]?.addMagnitude(sums, norms: norms)
            }
            if adapter.drops(saved.dropout) {
                // The product with all of x keeps its own flow.
                try addDroppedBase(position, flow, factors, pass, to: &dx, &workspace)
                var scaled = flow
                scaled.withMutableFloatSpan {
                    Columns.scale(&$0, by: factors, adding: nil, on: workers)
                }
                try addAdapter(position, scaled, x, pass, to: &dx, &gradients, &workspace)
            } else {
                flow.withMutableFloatSpan {
                    Columns.scale(&$0, by: factors, adding: nil, on: workers)
                }
                try addAdapter(position, flow, x, pass, to: &dx, &gradients, &workspace)
            }
        }
        try flow.withFloatSpan { (flow) throws(CheckpointError) in
            try base.weight.multiplyTransposed(
                flow,
                into: &dx,
                mode: pass.mode,
                accumulates: true,
                workspace: &workspace.products,
                on: workers
            )
        }
        workspace.giveBack(flow)
    }

    /// What holds throughout a backward pass.
    private struct BackwardPass {
        let active: [LoRAAdapter]
        let saved: Saved
        let mode: ComputeMode
        let workers: WorkerPool
    }

    /// Adds an adapter's part of `dx`, and the gradients of its factors if they are asked for.
    private func addAdapter(
        _ position: Int,
        _ dy: [Float],
        _ x: Span<Float>,
        _ pass: BackwardPass,
        to dx: inout MutableSpan<Float>,
        _ gradients: inout [String: LoRAGradients],
        _ workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        let (adapter, name, workers) = (pass.active[position], activeNames[position], pass.workers)
        let product = pass.saved.products[position]
        var inner = workspace.take(product.count)
        dy.withFloatSpan { dy in
            adapter.flowDown(dy, into: &inner, on: workers)
            gradients[name]?.addUp(dy, product, adapter, on: workers)
        }
        if gradients[name] != nil {
            try withDropped(x, adapter, position, pass.saved.dropout, &workspace) { dropped, _ in
                gradients[name]?.addDown(inner, dropped, adapter, on: workers)
            }
        }
        if adapter.drops(pass.saved.dropout) {
            var reached = workspace.take(dx.count)
            reached.withMutableFloatSpan {
                adapter.flowToInput(inner, into: &$0, accumulates: false, on: workers)
            }
            addKept(reached, position, pass, to: &dx, &workspace)
            workspace.giveBack(reached)
        } else {
            adapter.flowToInput(inner, into: &dx, accumulates: true, on: workers)
        }
        workspace.giveBack(inner)
    }

    /// Adds `k ⊙ ((dy ⊙ (g - 1)) W)`: DoRA scales the product with what dropout left.
    private func addDroppedBase(
        _ position: Int,
        _ dy: [Float],
        _ rowFactors: [Float],
        _ pass: BackwardPass,
        to dx: inout MutableSpan<Float>,
        _ workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        var scaled = dy
        var reached = workspace.take(dx.count)
        scaled.withMutableFloatSpan {
            Columns.scale(&$0, by: rowFactors.map { $0 - 1 }, adding: nil, on: pass.workers)
        }
        try scaled.withFloatSpan { (scaled) throws(CheckpointError) in
            try reached.withMutableFloatSpan { (reached) throws(CheckpointError) in
                try base.weight.multiplyTransposed(
                    scaled,
                    into: &reached,
                    mode: pass.mode,
                    accumulates: false,
                    workspace: &workspace.products,
                    on: pass.workers
                )
            }
        }
        addKept(reached, position, pass, to: &dx, &workspace)
        workspace.giveBack(reached)
    }

    /// Adds `k ⊙ gradient` to `dx`.
    private func addKept(
        _ gradient: [Float],
        _ position: Int,
        _ pass: BackwardPass,
        to dx: inout MutableSpan<Float>,
        _ workspace: inout LayerWorkspace
    ) {
        var kept = workspace.take(gradient.count)
        gradient.withFloatSpan { gradient in
            kept.withMutableFloatSpan {
                pass.saved.dropout.apply(
                    to: gradient,
                    into: &$0,
                    position: position,
                    probability: pass.active[position].dropout
                )
            }
        }
        kept.withFloatSpan { Rows.add($0, to: &dx, columnCount: base.inputCount) }
        workspace.giveBack(kept)
    }

    /// Below this, outputs tell too little of what the magnitude scaled.
    private static let leastRowFactor: Float = 1e-3

    /// Returns `Σ dy ⊙ u` for each output, where `u` is what the adapter's magnitude scales.
    private func magnitudeSums(
        _ position: Int,
        _ flow: (dy: [Float], x: Span<Float>, y: Span<Float>),
        _ factors: [Float],
        _ pass: BackwardPass,
        _ workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> [Float] {
        let adapter = pass.active[position]
        let outputs = adapter.outputCount
        let drops = adapter.drops(pass.saved.dropout)
        if position == pass.active.count - 1, !drops,
            factors.allSatisfy({ $0.magnitude >= Self.leastRowFactor })
        {
            return sumsFromOutputs(flow.dy, flow.y, factors, pass.workers)
        }
        var sums = workspace.take(flow.dy.count)
        let all = Array(zip(pass.active, pass.saved.products)).map { (adapter: $0, product: $1) }
        let before = drops ? [all[position]] : Array(all[...position])
        try withDropped(flow.x, adapter, position, pass.saved.dropout, &workspace) {
            (dropped, workspace) throws(CheckpointError) in
            try computeSums(before, dropped, into: &sums, pass.mode, &workspace, pass.workers)
        }
        let result = flow.dy.withFloatSpan { dy in
            sums.withFloatSpan { Columns.dotProducts(dy, $0, count: outputs, on: pass.workers) }
        }
        workspace.giveBack(sums)
        return result
    }

    /// The same from the outputs of the layer, `y = g ⊙ u + b`, where the last adapter has the magnitude.
    private func sumsFromOutputs(
        _ dy: [Float],
        _ y: Span<Float>,
        _ factors: [Float],
        _ workers: WorkerPool
    ) -> [Float] {
        dy.withFloatSpan { dy in
            var sums = Columns.dotProducts(dy, y, count: factors.count, on: workers)
            if let bias = base.bias {
                let offsets = Columns.sums(dy, count: factors.count, on: workers)
                for index in sums.indices { sums[index] -= offsets[index] * bias[index] }
            }
            return zip(sums, factors).map { $0 / $1 }
        }
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
