internal import Machine
internal import SIMDKernels
internal import Tensors

/// The loops over tiles that families of blockwise formats share.
extension BenchmarkMemory {
    /// Quantizes the first `count` elements, tile by tile.
    /// - Parameters:
    ///   - count: a whole number of blocks.
    ///   - element: the type of the input.
    ///   - codeBitCount: 4 or 8.
    ///   - blockSize: elements for one scale.
    ///   - workers: the threads.
    ///   - quantize: receives a tile's elements, and where its codes and scales go.
    mutating func quantizeTiles(
        _ count: Int,
        of element: FloatDType,
        codeBitCount: Int,
        blockSize: Int,
        on workers: WorkerPool,
        _ quantize: @Sendable (RawSpan, inout MutableRawSpan, inout MutableSpan<Float>) -> Void
    ) {
        let tile = BenchmarkCase.tileElementCount
        withQuantizationBuffers(
            inputByteCount: count * element.byteCount,
            codeByteCount: count * codeBitCount / 8,
            scaleCount: (count + blockSize - 1) / blockSize
        ) { input, codes, scales in
            workers.perform(
                writing: &codes,
                every: tile * codeBitCount / 8,
                and: &scales,
                every: tile / blockSize
            ) { index, _, codes, scales in
                let start = index * tile
                let end = start + codes.byteCount * 8 / codeBitCount
                quantize(
                    input.extracting(start * element.byteCount..<end * element.byteCount),
                    &codes,
                    &scales
                )
            }
        }
    }

    /// Dequantizes the first `count` elements, tile by tile.
    /// - Parameters:
    ///   - count: a whole number of blocks.
    ///   - element: the type of the output.
    ///   - codeBitCount: 4 or 8.
    ///   - blockSize: elements for one scale.
    ///   - workers: the threads.
    ///   - dequantize: receives the codes and scales of a tile, and where its elements go.
    mutating func dequantizeTiles(
        _ count: Int,
        to element: FloatDType,
        codeBitCount: Int,
        blockSize: Int,
        on workers: WorkerPool,
        _ dequantize: @Sendable (RawSpan, Span<Float>, inout MutableRawSpan) -> Void
    ) {
        let tile = BenchmarkCase.tileElementCount
        withDequantizationBuffers(
            codeByteCount: count * codeBitCount / 8,
            scaleCount: (count + blockSize - 1) / blockSize,
            outputByteCount: count * element.byteCount
        ) { codes, scales, output in
            workers.perform(writing: &output, every: tile * element.byteCount) { index, _, output in
                let start = index * tile
                let end = start + output.byteCount / element.byteCount
                dequantize(
                    codes.extracting(start * codeBitCount / 8..<end * codeBitCount / 8),
                    scales.extracting(start / blockSize..<(end + blockSize - 1) / blockSize),
                    &output
                )
            }
        }
    }
}
