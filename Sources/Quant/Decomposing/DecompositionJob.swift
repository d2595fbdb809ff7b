internal import CheckpointIO
internal import Machine
internal import Tensors

/// The splitting of one weight: unlike other jobs it needs all of the weight, and all threads.
struct DecompositionJob: Sendable {
    let name: Name
    /// The elements of the weight, `[N, K]`.
    let source: any FloatSource
    let rowCount: Int
    let columnCount: Int
    /// How the kept part is quantized; nil if it is not.
    let config: QuantizationConfig?
    /// The type of the weight in the model.
    let dtype: FloatDType
    /// Whether the model stores floats `[K, N]`.
    let isTransposed: Bool
    let sourceByteCount: Int

    /// The quantized weight in the output.
    private func weight(_ config: QuantizationConfig) -> StoredWeight {
        StoredWeight(
            names: QuantizedTensorNames(weight: name),
            config: config,
            dtype: dtype,
            rowCount: rowCount,
            columnCount: columnCount
        )
    }

    /// The tensors that the model keeps, the weight first.
    func outputs(_ kept: KeptPart) -> [TensorDescription] {
        switch kept {
        case .nothing: []
        case .quantized: config.map { weight($0).outputs } ?? [floats]
        case .floats: [floats]
        }
    }

    /// The weight as floats.
    private var floats: TensorDescription {
        TensorDescription(
            name: name,
            dtype: dtype.dtype,
            shape: isTransposed ? [columnCount, rowCount] : [rowCount, columnCount]
        )
    }

    /// Those whose length shows at the end.
    func lateOutputs(_ kept: KeptPart) -> [SafetensorsLayout.LateTensor] {
        guard kept == .quantized, let config else { return [] }
        return weight(config).lateOutputs
    }

    /// Reads the weight, in float32.
    func matrix(on workers: WorkerPool) throws(CheckpointError) -> Matrix {
        let widened: any FloatSource =
            source.dtype == .float32 ? source : RoundedFloats(source, to: .float32)
        let tile = source.tileElementCount
        var elements = [Float](repeating: 0, count: rowCount * columnCount)
        try elements.withMutableFloatBytes {
            (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try workers.perform(writing: &bytes, every: 4 * tile) {
                (index, _, piece: inout MutableRawSpan) throws(CheckpointError) in
                let start = index * tile
                try widened.read(start..<start + piece.byteCount / 4, into: &piece)
            }
        }
        return Matrix(rowCount: rowCount, columnCount: columnCount, elements: elements)
    }

    /// The bytes of what the model keeps.
    /// - Throws: `num.overflow` if a number does not fit the type.
    func tensors(_ kept: Decomposition.Kept) throws(CheckpointError) -> [TensorBytes] {
        switch kept {
        case .nothing: return []
        case .quantized(let quantized): return quantized.tensors(named: name)
        case .floats(let matrix):
            let stored: any FloatSource =
                isTransposed
                ? TransposedFloats(
                    MatrixFloats(matrix, name: name),
                    rowCount: columnCount,
                    columnCount: rowCount
                ) : MatrixFloats(matrix, name: name)
            let source: any FloatSource =
                dtype == .float32 ? stored : RoundedFloats(stored, to: dtype)
            var bytes = [UInt8](repeating: 0, count: source.elementCount * dtype.byteCount)
            try bytes.withMutableRawSpan { (span: inout MutableRawSpan) throws(CheckpointError) in
                try source.read(0..<source.elementCount, into: &span)
            }
            return [TensorBytes(floats, bytes)]
        }
    }
}
