internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

// Products with weights that cannot be packed: any format, any size, a few rows at a time.
extension QuantizedMatrix {
    /// Multiplies `y = x · Wᵀ` with dequantized rows of the weight.
    ///
    /// `.bfloat16` rounds the dequantized weight and the activations.
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
        let dtype: FloatDType = mode == .float32 ? .float32 : .bfloat16
        // Each output in the order of its row of weights, then handed to its place: threads write
        // whole columns.
        let columns = try workers.map(outputs) {
            (output, _) throws(CheckpointError) -> [Float] in
            let weights = row(output, scales, as: dtype)
            return (0..<rows).map { row in
                var sum: Float = 0
                for column in 0..<inputs {
                    let activation = x[row * inputs + column]
                    let factor = mode == .float32 ? activation : Float(BFloat16(activation))
                    sum.addProduct(factor, weights[column])
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

    /// Returns a row of the weight, rounded to a type and widened again.
    private func row(_ index: Int, _ scales: [Float], as dtype: FloatDType) -> [Float] {
        guard columnCount > 0 else { return [] }
        let layout = layout
        // The blocks that the row has a part of; two codes share a byte, so blocks begin on one.
        let range = index * columnCount..<(index + 1) * columnCount
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
        let own = decoded[range.lowerBound - start..<range.upperBound - start]
        return dtype == .float32 ? Array(own) : own.map { Float(BFloat16($0)) }
    }
}
