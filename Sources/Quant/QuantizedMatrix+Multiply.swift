public import CheckpointIO
internal import Machine
public import SIMDKernels
public import Tensors

extension QuantizedMatrix {
    /// Returns `x · Wᵀ`, `[M, N]`: the outputs of a linear layer with this weight for rows of
    /// activations.
    ///
    /// For one product; who makes many keeps a `PreparedWeight` and a `ProductWorkspace`.
    /// - Parameters:
    ///   - x: `[M, K]`.
    ///   - mode: how operands are rounded.
    ///   - bias: `N` numbers, added to every row.
    /// - Returns: `[M, N]`.
    /// - Throws: `limit.memory`.
    /// - Precondition: `x.columnCount == columnCount`.
    public func multiplied(
        by x: Matrix,
        mode: ComputeMode = .bfloat16,
        bias: [Float]? = nil
    ) throws(CheckpointError) -> Matrix {
        let weight = try PreparedWeight(self)
        var workspace = try ProductWorkspace()
        return try weight.multiplied(by: x, mode: mode, bias: bias, workspace: &workspace)
    }

    /// Returns `dy · W`, `[M, K]`: the gradient with respect to the activations of `multiplied`.
    ///
    /// For one product; who makes many keeps a `PreparedWeight` and a `ProductWorkspace`.
    /// - Parameters:
    ///   - dy: `[M, N]`.
    ///   - mode: how operands are rounded.
    /// - Returns: `[M, K]`.
    /// - Throws: `limit.memory`.
    /// - Precondition: `dy.columnCount == rowCount`; the mode is not `.int8`, which has no gradients.
    public func multipliedTransposed(
        by dy: Matrix,
        mode: ComputeMode = .bfloat16
    ) throws(CheckpointError) -> Matrix {
        precondition(
            dy.columnCount == rowCount,
            "\(dy.columnCount) gradients a row for [\(rowCount), \(columnCount)]"
        )
        let weight = try PreparedWeight(self)
        var workspace = try ProductWorkspace()
        var dx = [Float](repeating: 0, count: dy.rowCount * columnCount)
        try dy.elements.withFloatSpan { (dy) throws(CheckpointError) in
            try dx.withMutableFloatSpan { (dx) throws(CheckpointError) in
                try weight.multiplyTransposed(dy, into: &dx, mode: mode, workspace: &workspace)
            }
        }
        return Matrix(rowCount: dy.rowCount, columnCount: columnCount, elements: dx)
    }
}

extension QuantizedMatrix {
    /// Returns some of the elements in float32.
    /// - Parameters:
    ///   - range: counted row by row.
    ///   - scales: all that the weight has.
    /// - Returns: as many numbers.
    package func decoded(_ range: Range<Int>, scales: [Float]) -> [Float] {
        guard !range.isEmpty else { return [] }
        let layout = layout
        // The blocks that the elements have a part of; two codes share a byte, so blocks begin on one.
        let first = range.lowerBound / layout.scaleStride
        let end = (range.upperBound - 1) / layout.scaleStride + 1
        let start = first * layout.scaleStride
        let count = min(end * layout.scaleStride, layout.elementCount) - start
        let bytes =
            layout.codeByteCount(forElements: start)..<layout.codeByteCount(forElements: start)
            + layout.codeByteCount(forElements: count)
        var decoded = [Float](repeating: 0, count: count)
        let codec = TileCodec(config: config, columnCount: columnCount)
        codes.withRawSpan { codes in
            scales.withFloatSpan { scales in
                decoded.withMutableFloatBytes { decoded in
                    codec.dequantize(
                        codes.extracting(bytes),
                        scales: scales.extracting(first..<end),
                        count: count,
                        into: &decoded,
                        as: .float32
                    )
                }
            }
        }
        let wanted = range.lowerBound - start..<range.upperBound - start
        return wanted.count == count ? decoded : Array(decoded[wanted])
    }
}
