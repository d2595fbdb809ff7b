internal import CheckpointIO
internal import LinearAlgebra
internal import QLoRA
internal import Quant
internal import Tensors

/// The norms that DoRA has for an embedding: one for each dimension, over all rows.
struct EmbeddingNorms {
    private let norms: [Double]

    /// Goes once through the embedding, a few rows at a time.
    init(_ checkpoint: Checkpoint, _ name: Name, _ adapter: LoRAAdapter) throws(CheckpointError) {
        guard let view = checkpoint[name], let stored = StoredFloats(view) else {
            throw CheckpointError(
                .adapterUnsupported,
                "the magnitude of an embedding needs its floats",
                tensor: name
            )
        }
        let source: any FloatSource =
            stored.dtype == .float32 ? stored : RoundedFloats(stored, to: .float32)
        let (rows, width, rank) = (adapter.inputCount, adapter.outputCount, adapter.rank)
        let (left, right) = (adapter.a.transposed(), adapter.b.transposed())
        var squares = [Double](repeating: 0, count: width)
        let step = max(1, TileSize.usual / max(width, 1))
        var workspace = Workspace()
        for first in stride(from: 0, to: rows, by: step) {
            let count = min(step, rows - first)
            var values = [Float](repeating: 0, count: count * width)
            try values.withMutableFloatBytes { (bytes) throws(CheckpointError) in
                try source.read(first * width..<(first + count) * width, into: &bytes, &workspace)
            }
            left.elements.withFloatSpan { left in
                right.elements.withFloatSpan { right in
                    values.withMutableFloatSpan {
                        BLAS.multiply(
                            left.extracting(first * rank..<(first + count) * rank),
                            right,
                            into: &$0,
                            shape: ProductShape(
                                rowCount: count,
                                columnCount: width,
                                innerCount: rank
                            ),
                            scale: Float(adapter.scaling),
                            accumulates: true
                        )
                    }
                }
            }
            for (index, value) in values.enumerated() {
                squares[index % width] += Double(value) * Double(value)
            }
        }
        norms = squares.map { $0.squareRoot() }
    }

    /// `m / n`, and 1 where a dimension is zero throughout.
    func factors(_ magnitude: [Float]) -> [Float] {
        zip(magnitude, norms).map { $1 == 0 ? 1 : Float(Double($0) / $1) }
    }
}
