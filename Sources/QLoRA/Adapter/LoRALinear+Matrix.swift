public import CheckpointIO
public import Models
public import SIMDKernels
public import Tensors

// Passes with matrices of their own, for whoever makes few; see `forward` and `backward` over spans.
extension LoRALinear {
    /// A forward pass with everything that going backwards needs.
    public struct Pass: Sendable {
        /// The activations, `[M, K]`.
        public let x: Matrix
        /// The outputs, `[M, N]`.
        public let y: Matrix
        let saved: Saved
        let mode: ComputeMode
    }

    /// Computes the layer's outputs; see `forward(_:into:mode:dropout:saved:workspace:on:)`.
    /// - Parameters:
    ///   - x: `[M, K]`.
    ///   - mode: how operands of the product with the base are rounded.
    ///   - dropout: which activations reach adapters.
    ///   - workspace: scratch memory.
    /// - Returns: the outputs, and what `backward` needs.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    /// - Precondition: `x` has `K` columns.
    public func forward(
        _ x: Matrix,
        mode: ComputeMode = .bfloat16,
        dropout: Dropout = .off,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> Pass {
        precondition(
            x.columnCount == base.inputCount,
            "\(x.columnCount) activations a row for \(base.inputCount) inputs"
        )
        var y = Matrix(rowCount: x.rowCount, columnCount: base.outputCount)
        var saved = Saved()
        try x.elements.withFloatSpan { (x) throws(CheckpointError) in
            try y.withMutableElements { (y) throws(CheckpointError) in
                try forward(
                    x,
                    into: &y,
                    mode: mode,
                    dropout: dropout,
                    saved: &saved,
                    workspace: &workspace
                )
            }
        }
        return Pass(x: x, y: y, saved: saved, mode: mode)
    }

    /// Computes gradients; see `backward(_:x:y:into:gradients:saved:mode:workspace:on:)`.
    /// - Parameters:
    ///   - dy: `[M, N]`.
    ///   - pass: of `forward`.
    ///   - workspace: scratch memory.
    /// - Returns: that in the activations, `[M, K]`, and those in the factors of all active adapters.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    /// - Precondition: the sizes are those of the pass.
    public func backward(
        _ dy: Matrix,
        of pass: Pass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> (dx: Matrix, gradients: [String: LoRAGradients]) {
        precondition(
            dy.rowCount == pass.y.rowCount && dy.columnCount == pass.y.columnCount,
            "gradients [\(dy.rowCount), \(dy.columnCount)] of outputs "
                + "[\(pass.y.rowCount), \(pass.y.columnCount)]"
        )
        var dx = Matrix(rowCount: pass.x.rowCount, columnCount: pass.x.columnCount)
        var gradients: [String: LoRAGradients] = [:]
        for name in activeNames { gradients[name] = adapters[name].map { LoRAGradients(of: $0) } }
        try dy.elements.withFloatSpan { (dy) throws(CheckpointError) in
            try pass.x.elements.withFloatSpan { (x) throws(CheckpointError) in
                try pass.y.elements.withFloatSpan { (y) throws(CheckpointError) in
                    try dx.withMutableElements { (dx) throws(CheckpointError) in
                        try backward(
                            dy,
                            x: x,
                            y: y,
                            into: &dx,
                            gradients: &gradients,
                            saved: pass.saved,
                            mode: pass.mode,
                            workspace: &workspace
                        )
                    }
                }
            }
        }
        return (dx, gradients)
    }
}
