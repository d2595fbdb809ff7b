package import CheckpointIO
internal import LinearAlgebra
internal import Machine
internal import Quant
internal import SIMDKernels

extension LayerPass {
    /// Computes layers of the same input, in one job where their weights allow it: to start and to end one
    /// costs as much time as a product with a single row in a small layer.
    /// - Parameters:
    ///   - layers: of the same number of inputs.
    ///   - x: `M` rows of `K` activations.
    ///   - y: receives the outputs of the layers, one behind the other: `M` rows of the first, and so on.
    ///   - accumulates: whether they are added to what `y` holds.
    ///   - workspace: scratch memory.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    package func forward(
        _ layers: [any LinearLayer],
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        accumulates: Bool = false,
        _ workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        if let terms = jointTerms(of: layers) {
            try PreparedWeight.multiply(
                x,
                with: terms,
                into: &y,
                accumulates: accumulates,
                mode: mode,
                inner: &workspace.inner,
                workspace: &workspace.products,
                on: workers
            )
            return
        }
        guard accumulates else {
            try forwardInTurn(layers, x, into: &y, &workspace)
            return
        }
        var outputs = workspace.take(y.count)
        try outputs.withMutableFloatSpan { (outputs) throws(CheckpointError) in
            try forwardInTurn(layers, x, into: &outputs, &workspace)
            Rows.add(outputs.span, to: &y, columnCount: y.count)
        }
        workspace.giveBack(outputs)
    }

    private func forwardInTurn(
        _ layers: [any LinearLayer],
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        _ workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        var place = 0
        for layer in layers {
            let end = place + samples.count * layer.outputCount
            var own = y._mutatingExtracting(place..<end)
            place = end
            try layer.forward(x, into: &own, pass: self, workspace: &workspace)
        }
    }

    /// What the products of layers need to be one job; nil if they cannot be.
    private func jointTerms(of layers: [any LinearLayer]) -> [ProductTerm]? {
        var terms: [ProductTerm] = []
        terms.reserveCapacity(layers.count)
        for layer in layers {
            guard let parts = layer.parts(in: self),
                let weight = parts.base.weight as? PreparedWeight,
                let term = weight.term(bias: parts.base.bias, changes: parts.changes),
                terms.first.map({ $0.sharesRows(with: term, in: mode) }) ?? true
            else { return nil }
            terms.append(term)
        }
        return terms
    }
}
