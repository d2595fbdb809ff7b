public import CheckpointIO
internal import LinearAlgebra
public import Machine
public import Models
public import Tensors

extension LoRAAdapter {
    /// Returns `scaling · B · A`, `[N, K]`, in float32.
    /// - Parameter workers: the threads.
    /// - Returns: the matrix.
    public func delta(on workers: WorkerPool = .shared()) -> Matrix {
        BLAS.product(b, a, scale: Float(scaling), on: workers)
    }
}

extension LoRALinear {
    /// Returns a float copy of the weight, `[N, K]`, with adapters merged into it, and the bias.
    ///
    /// `W ← W + ΔW`, and with a magnitude `W ← g ⊙ (W + ΔW)`, one adapter after the other; sums are
    /// float32, and nothing is rounded to the type of the base. The base stays as it is, so unmerging is
    /// to use it again.
    /// - Parameters:
    ///   - names: of the adapters, in the order of merging; nil means the active ones.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Returns: the weight, and the bias with `s c` of adapters that have one.
    /// - Throws: `limit.memory`; `adapter.notFinite` if a merged number is not finite.
    public func merged(
        _ names: [String]? = nil,
        workspace: inout LayerWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) -> (weight: Matrix, bias: [Float]?) {
        var weight = base.weight.dequantized()
        var bias = base.bias
        for name in names ?? activeNames {
            guard let adapter = adapters[name] else { continue }
            let delta = adapter.delta(on: workers)
            var factors: [Float]?
            if let magnitude = adapter.magnitude {
                let norms = try adapter.rowNorms(on: base, workspace: &workspace, workers: workers)
                factors = adapter.rowFactors(magnitude: magnitude, norms: norms)
            }
            weight.add(delta, thenScaleRowsBy: factors)
            if let own = adapter.bias {
                let scaled = own.map { Float(adapter.scaling) * $0 }
                bias = bias.map { zip($0, scaled).map { $0 + $1 } } ?? scaled
            }
        }
        let isFinite =
            weight.elements.allSatisfy { $0.isFinite }
            && (bias?.allSatisfy { $0.isFinite } ?? true)
        guard isFinite else {
            throw CheckpointError(.adapterNotFinite, "a merged number is NaN or infinite")
        }
        return (weight, bias)
    }
}

extension Matrix {
    /// Adds a matrix, and then multiplies each row by its factor.
    fileprivate mutating func add(_ other: Matrix, thenScaleRowsBy factors: [Float]?) {
        let columns = columnCount
        withMutableElements { elements in
            other.elements.withFloatSpan {
                Rows.add($0, to: &elements, columnCount: columns, thenScalingBy: factors)
            }
        }
    }
}
