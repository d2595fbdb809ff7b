internal import Machine
internal import SIMDKernels
internal import Tensors

/// `search` for the scales of 4-bit blocks.
enum ScaleSearch4BitFamily: BenchmarkFamily {
    private static let blockSize = 64

    static func cases(size: Int) -> [BenchmarkCase] {
        BenchmarkCodebook.allCases.flatMap { format in
            FloatDType.allCases.flatMap { element in
                ScaleSearch4BitKernel.supported.map { variant($0, format, element, size) }
                    + [reference(format, element)]
            }
        }
    }

    private static func variant(
        _ kernel: ScaleSearch4BitKernel,
        _ format: BenchmarkCodebook,
        _ element: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let codebook = format.codebook
        let tile = BenchmarkCase.tileElementCount
        // Bound by arithmetic: more elements would only take longer.
        let count = min(size * size, 1 << 20)
        return BenchmarkCase(
            "search",
            format.rawValue,
            element,
            kernel: kernel,
            byteCount: count * element.byteCount
        ) { memory, workers in
            memory.withQuantizationBuffers(
                inputByteCount: count * element.byteCount,
                codeByteCount: 0,
                scaleCount: count / blockSize
            ) { input, _, scales in
                workers.perform(writing: &scales, every: tile / blockSize) { index, _, scales in
                    let start = index * tile * element.byteCount
                    let end = start + scales.count * blockSize * element.byteCount
                    kernel.search(
                        input.extracting(start..<end),
                        as: element,
                        blockSize: blockSize,
                        codebook: codebook,
                        scales: &scales
                    )
                }
            }
        }
    }

    private static func reference(
        _ format: BenchmarkCodebook,
        _ element: FloatDType
    ) -> BenchmarkCase {
        let codebook = format.codebook
        let count = 1 << 10
        return BenchmarkCase(
            reference: "search",
            format.rawValue,
            element,
            elementCount: count
        ) { memory, _ in
            let bytes = memory.inputBytes(count * element.byteCount)
            memory.scales[0] =
                ReferenceScaleSearch4Bit.scales(
                    ReferenceFloat.values(in: bytes, as: element),
                    blockSize: blockSize,
                    codebook: codebook
                )[0]
        }
    }
}
