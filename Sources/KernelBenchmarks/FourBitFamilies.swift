internal import SIMDKernels
internal import Tensors

/// Code tables with the structure of NF4 and FP4.
///
/// The numbers do not change the speed, and the real ones have their home elsewhere.
enum BenchmarkCodebook: String, CaseIterable {
    case nf4, fp4

    var codebook: Codebook4Bit {
        switch self {
        case .nf4:
            let values = (0..<16).map { Float($0 - 7) / 8 }
            return Codebook4Bit(
                values: values,
                thresholds: zip(values, values.dropFirst()).map { ($0 + $1) / 2 },
                codeOfRank: Array(0..<16),
                rule: .ascending
            )
        case .fp4:
            let magnitudes = (0..<8).map { Float($0) / 7 }
            return Codebook4Bit(
                values: magnitudes + magnitudes.map { -$0 },
                thresholds: zip(magnitudes, magnitudes.dropFirst()).map { ($0 + $1) / 2 },
                codeOfRank: Array(0..<8),
                rule: .signAndMagnitude
            )
        }
    }
}

/// The blocks of all 4-bit rows.
private let blockSize = 64

/// `quantize` to 4 bits.
enum Quantize4BitFamily: BenchmarkFamily {
    static func cases(size: Int) -> [BenchmarkCase] {
        BenchmarkCodebook.allCases.flatMap { format in
            FloatDType.allCases.flatMap { element in
                Quantize4BitKernel.supported.map { kernel in
                    variant(kernel, format, element, size)
                } + [reference(format, element)]
            }
        }
    }

    private static func variant(
        _ kernel: Quantize4BitKernel,
        _ format: BenchmarkCodebook,
        _ element: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let codebook = format.codebook
        return BenchmarkCase("quantize", format.rawValue, element, kernel: kernel, size: size) {
            memory,
            workers in
            memory.quantizeTiles(
                size * size,
                of: element,
                codeBitCount: 4,
                blockSize: blockSize,
                on: workers
            ) { input, codes, scales in
                kernel.quantize(
                    input,
                    as: element,
                    blockSize: blockSize,
                    codebook: codebook,
                    codes: &codes,
                    absmax: &scales
                )
            }
        }
    }

    private static func reference(
        _ format: BenchmarkCodebook,
        _ element: FloatDType
    ) -> BenchmarkCase {
        let codebook = format.codebook
        let count = 1 << 14
        return BenchmarkCase(
            reference: "quantize",
            format.rawValue,
            element,
            elementCount: count
        ) { memory, _ in
            let bytes = memory.inputBytes(count * element.byteCount)
            let elements = ReferenceFloat.values(in: bytes, as: element)
            let result = Reference4Bit.quantize(
                elements,
                blockSize: blockSize,
                codebook: codebook
            )
            memory.scales[0] = result.absmax[0]
        }
    }
}

/// `dequantize` from 4 bits.
enum Dequantize4BitFamily: BenchmarkFamily {
    static func cases(size: Int) -> [BenchmarkCase] {
        FloatDType.allCases.flatMap { element in
            Dequantize4BitKernel.supported.map { kernel in
                variant(kernel, element, size)
            } + [reference(element)]
        }
    }

    private static func variant(
        _ kernel: Dequantize4BitKernel,
        _ element: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let codebook = BenchmarkCodebook.nf4.codebook
        return BenchmarkCase("dequantize", "nf4", element, kernel: kernel, size: size) {
            memory,
            workers in
            memory.dequantizeTiles(
                size * size,
                to: element,
                codeBitCount: 4,
                blockSize: blockSize,
                on: workers
            ) { codes, scales, output in
                kernel.dequantize(
                    codes: codes,
                    absmax: scales,
                    count: output.byteCount / element.byteCount,
                    blockSize: blockSize,
                    values: codebook,
                    into: &output,
                    as: element,
                    streaming: true
                )
            }
        }
    }

    private static func reference(_ element: FloatDType) -> BenchmarkCase {
        let codebook = BenchmarkCodebook.nf4.codebook
        let count = 1 << 14
        return BenchmarkCase(
            reference: "dequantize",
            "nf4",
            element,
            elementCount: count
        ) { memory, _ in
            let elements = Reference4Bit.dequantize(
                codes: memory.codeBytes(count / 2),
                absmax: Array(memory.scales.prefix(count / blockSize)),
                count: count,
                blockSize: blockSize,
                values: codebook.values
            )
            let bytes = ReferenceFloat.bytes(of: elements, as: element)
            memory.scales[0] = bytes[0] == 255 ? 0.05 : memory.scales[0]
        }
    }
}
