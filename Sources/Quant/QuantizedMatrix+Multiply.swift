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
        let blocks = layout.wholeBlocks(of: range)
        var decoded = [Float](repeating: 0, count: blocks.count)
        scales.withFloatSpan { scales in
            decoded.withMutableFloatBytes {
                decode(blocks, scales: scales, into: &$0, as: .float32)
            }
        }
        guard blocks != range else { return decoded }
        let start = range.lowerBound - blocks.lowerBound
        return Array(decoded[start..<start + range.count])
    }

    /// Decodes whole blocks.
    /// - Parameters:
    ///   - range: of elements, as `PackedLayout.wholeBlocks` gives it.
    ///   - scales: all that the weight has.
    ///   - bytes: receives as many elements.
    ///   - dtype: their type.
    func decode(
        _ range: Range<Int>,
        scales: Span<Float>,
        into bytes: inout MutableRawSpan,
        as dtype: FloatDType
    ) {
        guard !range.isEmpty else { return }
        let layout = layout
        let firstScale = range.lowerBound / layout.scaleStride
        let firstByte = layout.codeByteCount(forElements: range.lowerBound)
        let scaleCount = layout.scaleCount(forElements: range.count)
        let byteCount = layout.codeByteCount(forElements: range.count)
        codes.withRawSpan { codes in
            TileCodec(config: config, columnCount: columnCount).dequantize(
                codes.extracting(firstByte..<firstByte + byteCount),
                scales: scales.extracting(firstScale..<firstScale + scaleCount),
                count: range.count,
                into: &bytes,
                as: dtype
            )
        }
    }
}

extension PackedLayout {
    /// Returns the elements of all blocks or rows with a scale of their own that some elements have a part
    /// of; two codes share a byte, and these begin on one.
    func wholeBlocks(of range: Range<Int>) -> Range<Int> {
        guard !range.isEmpty else { return range }
        let start = range.lowerBound / scaleStride * scaleStride
        let end = ((range.upperBound - 1) / scaleStride + 1) * scaleStride
        return start..<min(end, elementCount)
    }
}
