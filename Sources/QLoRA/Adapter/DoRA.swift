package import CheckpointIO
internal import LinearAlgebra
package import Machine
package import Models
internal import SIMDKernels
internal import Tensors

// Weight-decomposed adaptation (Liu et al. 2024), without ever forming `B · A` or a float copy of `W`.
extension LoRAAdapter {
    /// Returns `‖W + s B A‖` of each row, in float32.
    ///
    /// From `‖W‖² + 2 s Σ (W Aᵀ) ⊙ B + s² Σ (B (A Aᵀ)) ⊙ B`, each sum over a row, in Double but for the
    /// products with `W` and `A`.
    func rowNorms(
        on base: Linear,
        workspace: inout LayerWorkspace,
        workers: WorkerPool
    ) throws(CheckpointError) -> [Float] {
        if let known = norms.known(version) { return known }
        let squares = base.squaredRowNorms(on: workers)
        let (outputs, rank) = (outputCount, rank)
        // A is a few rows of activations: the product with them is A Wᵀ, [r, N].
        var overlaps = workspace.take(rank * outputs)
        var gram = workspace.take(rank * rank)
        try a.elements.withFloatSpan { (a) throws(CheckpointError) in
            try overlaps.withMutableFloatSpan { (overlaps) throws(CheckpointError) in
                try base.weight.multiply(
                    a,
                    into: &overlaps,
                    mode: .float32,
                    bias: nil,
                    accumulates: false,
                    workspace: &workspace.products,
                    on: workers
                )
            }
            gram.withMutableFloatSpan { gram in
                BLAS.multiply(
                    a,
                    a,
                    into: &gram,
                    shape: ProductShape(
                        rowCount: rank,
                        columnCount: rank,
                        innerCount: inputCount,
                        transposesB: true
                    ),
                    on: workers
                )
            }
        }
        let result = (0..<outputs).map { output in
            var (linear, quadratic) = (0.0, 0.0)
            for row in 0..<rank {
                let factor = Double(b.elements[output * rank + row])
                linear += factor * Double(overlaps[row * outputs + output])
                var sum = 0.0
                for column in 0..<rank {
                    sum +=
                        Double(gram[row * rank + column])
                        * Double(b.elements[output * rank + column])
                }
                quadratic += factor * sum
            }
            let square = squares[output] + scaling * (2 * linear + scaling * quadratic)
            return Float(max(square, 0).squareRoot())
        }
        workspace.giveBack(overlaps)
        workspace.giveBack(gram)
        norms.keep(result, version)
        return result
    }

    /// Returns the factors `m / n` of the rows; 1 where the row is zero.
    func rowFactors(magnitude: [Float], norms: [Float]) -> [Float] {
        zip(magnitude, norms).map { magnitude, norm in norm == 0 ? 1 : magnitude / norm }
    }

    /// Makes the magnitude the norm of the merged rows, as a new DoRA adapter has it, and as it must be
    /// after factors or base were replaced.
    /// - Throws: `limit.memory`.
    package mutating func resetMagnitude(
        on base: Linear,
        workspace: inout LayerWorkspace,
        workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        magnitude = try rowNorms(on: base, workspace: &workspace, workers: workers)
    }
}
