internal import CheckpointIO
internal import Tensors

extension LoRAAdapter {
    /// Reads factors, which belong together or are refused.
    /// - Parameters:
    ///   - a: `[r, …]`; of a convolution its kernels.
    ///   - b: `[N, r]`, further dimensions 1.
    ///   - bias: `N` numbers.
    ///   - magnitude: `N` numbers.
    ///   - scaling: the factor of the product.
    /// - Throws: `adapter.shape`; `adapter.unsupported` for the factors of a convolution in groups;
    ///   `num.nonFinite`; what reading throws.
    init(
        reading a: TensorView,
        _ b: TensorView,
        bias: TensorView?,
        magnitude: TensorView?,
        scaling: Double
    ) throws(CheckpointError) {
        let (aShape, bShape) = (a.description.shape, b.description.shape)
        guard aShape.count > 1, bShape.count > 1 else {
            throw Self.mismatch(b, "factors of two or more dimensions", "\(aShape) and \(bShape)")
        }
        guard aShape.count == 2 || bShape[1] == aShape[0] else {
            throw CheckpointError(
                .adapterUnsupported,
                "the factors are those of a convolution in groups, which no weight of its shape holds",
                file: AdapterFileName.weights,
                tensor: b.description.name,
                expected: "\([bShape[0], aShape[0]] + bShape[2...])",
                found: "\(bShape)"
            )
        }
        guard bShape.dropFirst().reduce(1, *) == aShape[0] else {
            throw Self.mismatch(b, "\([bShape[0], aShape[0]])", "\(bShape)")
        }
        for view in [bias, magnitude] {
            guard let view, view.description.elementCount != bShape[0] else { continue }
            throw Self.mismatch(view, "\([bShape[0]])", "\(view.description.shape)")
        }
        self.init(
            a: try Self.matrix(a),
            b: try Self.matrix(b),
            bias: try bias.map { (view) throws(CheckpointError) in try view.finiteFloats() },
            magnitude: try magnitude.map { (view) throws(CheckpointError) in
                try view.finiteFloats()
            },
            scaling: scaling
        )
    }

    private static func matrix(_ view: TensorView) throws(CheckpointError) -> Matrix {
        let shape = view.description.shape
        return Matrix(
            rowCount: shape[0],
            columnCount: shape.dropFirst().reduce(1, *),
            elements: try view.finiteFloats()
        )
    }

    private static func mismatch(
        _ view: TensorView,
        _ expected: String,
        _ found: String
    ) -> CheckpointError {
        CheckpointError(
            .adapterShape,
            "the tensor does not go with the others of its module",
            file: AdapterFileName.weights,
            tensor: view.description.name,
            expected: expected,
            found: found
        )
    }
}
