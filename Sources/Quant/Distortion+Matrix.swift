internal import Machine
internal import SIMDKernels
public import Tensors

extension Distortion {
    /// The elements of one tile; sums are joined in the order of tiles, whatever ran in parallel.
    private static let tileElementCount = 1 << 16

    /// Measures a matrix that was quantized and restored against the original.
    ///
    /// Elements of which one is NaN or infinite take no part. Codes are not counted.
    /// - Precondition: both have the same dimensions.
    public init(of restored: Matrix, from original: Matrix) {
        precondition(
            restored.rowCount == original.rowCount && restored.columnCount == original.columnCount,
            "[\(restored.rowCount), \(restored.columnCount)] measured against"
                + " [\(original.rowCount), \(original.columnCount)]"
        )
        let count = original.elements.count
        let size = Self.tileElementCount
        let tiles = WorkerPool.shared().map((count + size - 1) / size) { index, _ in
            let bytes = 4 * index * size..<4 * min((index + 1) * size, count)
            return original.elements.withFloatBytes { original in
                restored.elements.withFloatBytes { restored in
                    TileDistortion(
                        original: original.extracting(bytes),
                        as: .float32,
                        decoded: restored.extracting(bytes),
                        as: .float32
                    )
                }
            }
        }
        self.init(tiles: tiles)
    }
}
