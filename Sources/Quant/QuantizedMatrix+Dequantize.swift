internal import CheckpointIO
package import Machine
internal import SIMDKernels
public import Tensors

extension QuantizedMatrix {
    /// Returns the weight in float32: `fl(value(code) · absmax)`, for int8 also divided by 127.
    public func dequantized() -> Matrix {
        var elements = [Float](repeating: 0, count: rowCount * columnCount)
        elements.withMutableFloatBytes { dequantize(into: &$0, as: .float32) }
        return Matrix(rowCount: rowCount, columnCount: columnCount, elements: elements)
    }

    /// Decodes the whole weight, row by row, rounded to a type.
    /// - Parameters:
    ///   - output: receives `N · K` elements, little-endian; exactly their bytes.
    ///   - dtype: their type; a value beyond its range becomes infinite.
    public func dequantize(into output: inout MutableRawSpan, as dtype: FloatDType) {
        dequantize(into: &output, as: dtype, on: WorkerPool.shared())
    }

    package func dequantize(
        into output: inout MutableRawSpan,
        as dtype: FloatDType,
        on workers: WorkerPool
    ) {
        let layout = layout
        precondition(
            output.byteCount == layout.elementCount * dtype.byteCount,
            "\(output.byteCount) bytes for \(layout.elementCount) \(dtype.rawValue) elements"
        )
        guard layout.elementCount > 0 else { return }
        let codec = TileCodec(config: config, columnCount: columnCount)
        let stride = max(1, TileSize.usual / layout.scaleStride) * layout.scaleStride
        let (codes, scales) = (codes, absmax.values)
        workers.perform(writing: &output, every: stride * dtype.byteCount) { (index, _, output) in
            let count = output.byteCount / dtype.byteCount
            let firstByte = layout.codeByteCount(forElements: index * stride)
            let byteCount = layout.codeByteCount(forElements: count)
            let firstScale = layout.scaleCount(forElements: index * stride)
            let scaleCount = layout.scaleCount(forElements: count)
            codes.withRawSpan { codes in
                scales.withFloatSpan { scales in
                    codec.dequantize(
                        codes.extracting(firstByte..<firstByte + byteCount),
                        scales: scales.extracting(firstScale..<firstScale + scaleCount),
                        count: count,
                        into: &output,
                        as: dtype
                    )
                }
            }
        }
    }
}
