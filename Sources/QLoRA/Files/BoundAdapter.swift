public import CheckpointIO
internal import Quant
public import Tensors

/// An adapter together with the modules of a base model: every tensor of its file has its place, and
/// every place its tensor.
public struct BoundAdapter: Sendable {
    /// The configuration.
    public let config: LoRAConfig
    /// The folder's name.
    public let name: String
    /// The adapted modules in the order of the network.
    public let layers: [Layer]
    /// Tensors of the base that the adapter has instead: whole modules, and biases.
    public let replacements: [Replacement]
    /// Rows of embeddings that the adapter has instead.
    public let tokenRows: [TokenRows]
    /// Embeddings and heads of the base that the file carries along.
    public let carriedWeights: [Replacement]
    /// What is odd, but honoured.
    public let warnings: [CheckpointWarning]

    /// The factors of one module.
    public struct Layer: Sendable {
        /// The module with rank and scaling.
        public let target: ModuleSelection.Target
        let a: TensorView
        let b: TensorView
        let bias: TensorView?
        let magnitude: TensorView?
    }

    /// A tensor of the base, and what the adapter has for it.
    public struct Replacement: Sendable {
        /// The name in the base.
        public let tensor: Name
        package let view: TensorView
    }

    /// Rows of an embedding.
    public struct TokenRows: Sendable {
        /// The module.
        public let module: String
        /// The rows in the order in which they are stored.
        public let rows: [Int]
        let view: TensorView
    }
}

extension BoundAdapter.Layer {
    /// Reads the factors.
    /// - Parameter weight: a factor of the scaling.
    /// - Returns: those of a linear layer; of an embedding `A` is `[r, V]` and `B` `[D, r]`.
    /// - Throws: `adapter.shape` and `adapter.unsupported` for factors of convolutions that do not go together;
    ///   `num.nonFinite`; what reading throws.
    public func adapter(weight: Double = 1) throws(CheckpointError) -> LoRAAdapter {
        try LoRAAdapter(
            reading: a,
            b,
            bias: bias,
            magnitude: magnitude,
            scaling: weight * target.scaling
        )
    }
}

extension BoundAdapter.TokenRows {
    /// Reads the rows, `[count, width]`.
    /// - Throws: `num.nonFinite`; what reading throws.
    public func matrix() throws(CheckpointError) -> Matrix {
        Matrix(
            rowCount: rows.count,
            columnCount: view.description.shape[1],
            elements: try view.finiteFloats()
        )
    }
}

extension TensorView {
    /// Reads all elements of a float tensor, widened to float32.
    /// - Throws: `num.nonFinite` for the first that is NaN or infinite; what reading throws.
    package func finiteFloats() throws(CheckpointError) -> [Float] {
        guard let elements = try floats() else {
            throw CheckpointError(.adapterDtype, "not a tensor of floats", tensor: description.name)
        }
        if let index = elements.firstIndex(where: { !$0.isFinite }) {
            throw CheckpointError(
                .numNonFinite,
                "element \(index) is \(elements[index])",
                file: fileName,
                tensor: description.name
            )
        }
        return elements
    }
}
