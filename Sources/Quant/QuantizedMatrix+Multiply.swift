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

// Products with weights that cannot be packed: any format, any size, a few rows at a time.
extension QuantizedMatrix {
    /// Multiplies `y = x · Wᵀ` with dequantized rows of the weight.
    ///
    /// `.bfloat16` rounds the dequantized weight and the activations, `.int8` the activations.
    func multiplyRows(
        _ x: Span<Float>,
        _ rows: Int,
        into y: inout MutableSpan<Float>,
        _ mode: ComputeMode,
        _ options: ProductOptions,
        _ workers: WorkerPool
    ) throws(CheckpointError) {
        let (outputs, inputs) = (rowCount, columnCount)
        guard rows > 0, outputs > 0 else { return }
        let scales = absmax.values
        let dtype: FloatDType = mode == .bfloat16 ? .bfloat16 : .float32
        let x = rounded(x, mode, columnCount: inputs)
        // Each output in the order of its row of weights, then handed to its place: threads write
        // whole columns.
        let columns = try workers.map(outputs) {
            (output, _) throws(CheckpointError) -> [Float] in
            let weights = row(output, scales, as: dtype)
            return (0..<rows).map { row in
                var sum: Float = 0
                for column in 0..<inputs {
                    sum.addProduct(x[row * inputs + column], weights[column])
                }
                return sum
            }
        }
        for output in 0..<outputs {
            for row in 0..<rows {
                var total = columns[output][row]
                if let bias = options.bias { total += bias[output] }
                let place = row * outputs + output
                y[place] = options.accumulates ? y[place] + total : total
            }
        }
    }

    /// Multiplies `dx = dy · W` (+ dx) with dequantized rows of the weight, ascending.
    func multiplyRowsTransposed(
        _ dy: Span<Float>,
        _ rows: Int,
        into dx: inout MutableSpan<Float>,
        _ mode: ComputeMode,
        _ accumulates: Bool
    ) {
        let dtype: FloatDType = mode == .bfloat16 ? .bfloat16 : .float32
        let dy = rounded(dy, mode, columnCount: rowCount)
        let scales = absmax.values
        if !accumulates { for place in dx.indices { dx[place] = 0 } }
        for output in 0..<rowCount {
            let weights = row(output, scales, as: dtype)
            for row in 0..<rows {
                let gradient = dy[row * rowCount + output]
                for column in 0..<columnCount {
                    dx[row * columnCount + column].addProduct(gradient, weights[column])
                }
            }
        }
    }

    /// Returns rows of activations or gradients as a mode rounds them.
    private func rounded(
        _ rows: Span<Float>,
        _ mode: ComputeMode,
        columnCount: Int
    ) -> [Float] {
        var elements = rows.indices.map { rows[$0] }
        mode.round(&elements, columnCount: columnCount)
        return elements
    }

    /// Returns a row of the weight, rounded to a type and widened again.
    func row(_ index: Int, _ scales: [Float], as dtype: FloatDType) -> [Float] {
        let range = index * columnCount..<(index + 1) * columnCount
        let own = decoded(range, scales: scales)
        return dtype == .float32 ? own : own.map { Float(BFloat16($0)) }
    }

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
