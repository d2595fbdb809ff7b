public import CheckpointIO
public import Tensors

extension Matrix {
    /// Reads a float weight of a checkpoint, widened to float32.
    /// - Parameters:
    ///   - name: of a tensor with two dimensions, float32, bfloat16 or float16, plain or packed in a
    ///     GGUF file.
    ///   - checkpoint: where it is.
    /// - Throws: `model.tensorMissing`; `quant.unsupported` if it is of another type or rank; what
    ///   reading throws.
    public init(_ name: Name, in checkpoint: Checkpoint) throws(CheckpointError) {
        guard let view = checkpoint[name] else {
            throw CheckpointError(.modelTensorMissing, "there is no such tensor", tensor: name)
        }
        let shape = view.description.shape
        guard shape.count == 2, let elements = try view.floats() else {
            throw CheckpointError(
                .quantUnsupported,
                "not a matrix of floats",
                file: view.fileName,
                tensor: name,
                found: "\(view.storedType) \(shape)"
            )
        }
        self.init(rowCount: shape[0], columnCount: shape[1], elements: elements)
    }

    /// Returns the matrix as a float32 tensor `[rowCount, columnCount]`, to be written with
    /// `SafetensorsFile.write`.
    /// - Parameter name: of the tensor.
    /// - Returns: the tensor with its bytes.
    public func tensor(named name: Name) -> TensorBytes {
        TensorBytes(
            TensorDescription(name: name, dtype: .float32, shape: [rowCount, columnCount]),
            elements.littleEndianBytes
        )
    }
}

extension TensorView {
    /// Reads all elements, widened to float32; nil if they are no floats.
    package func floats() throws(CheckpointError) -> [Float]? {
        guard let stored = StoredFloats(self) else { return nil }
        let source: any FloatSource =
            stored.dtype == .float32 ? stored : RoundedFloats(stored, to: .float32)
        var elements = [Float](repeating: 0, count: description.elementCount)
        try elements.withMutableFloatBytes {
            (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try source.read(0..<description.elementCount, into: &bytes)
        }
        return elements
    }
}
