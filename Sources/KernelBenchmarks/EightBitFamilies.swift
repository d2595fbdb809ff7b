internal import SIMDKernels
internal import Tensors

/// What the 8-bit rows quantize: a matrix, or the scales of its 4-bit form.
private enum EightBitInput: String, CaseIterable {
    case matrix = "8-bit"
    case nestedAbsmax = "nested"

    /// The customary block size of each.
    var blockSize: Int { self == .matrix ? 4096 : 256 }
    /// Scales are float32.
    var elements: [FloatDType] { self == .matrix ? FloatDType.allCases : [.float32] }

    func elementCount(size: Int) -> Int { self == .matrix ? size * size : size * size / 64 }

    func blockCount(_ elementCount: Int) -> Int { (elementCount + blockSize - 1) / blockSize }

    /// A map with the structure of the dynamic one: steps that grow with the magnitude.
    static let codebook = Codebook8Bit(
        values: (-127...128).map { step in
            let index = abs(step)
            let power = Float(sign: .plus, exponent: index / 8 - 16, significand: 1)
            return step == 0 ? 0 : power * (1 + Float(index % 8) / 8) * (step < 0 ? -1 : 1)
        }
    )
}

/// `quantize` to 8 bits by a map.
enum Quantize8BitFamily: BenchmarkFamily {
    static func cases(size: Int) -> [BenchmarkCase] {
        EightBitInput.allCases.flatMap { input in
            input.elements.flatMap { element in
                Quantize8BitKernel.supported.map { variant($0, input, element, size) }
                    + [reference(input, element)]
            }
        }
    }

    private static func variant(
        _ kernel: Quantize8BitKernel,
        _ format: EightBitInput,
        _ element: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let codebook = EightBitInput.codebook
        let blockSize = format.blockSize
        let count = format.elementCount(size: size)
        return BenchmarkCase(
            "quantize",
            format.rawValue,
            element,
            kernel: kernel,
            byteCount: count * element.byteCount
        ) { memory, workers in
            memory.quantizeTiles(
                count,
                of: element,
                codeBitCount: 8,
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
        _ format: EightBitInput,
        _ element: FloatDType
    ) -> BenchmarkCase {
        let count = 1 << 12
        return BenchmarkCase(
            reference: "quantize",
            format.rawValue,
            element,
            elementCount: count
        ) { memory, _ in
            let bytes = memory.inputBytes(count * element.byteCount)
            let result = Reference8Bit.quantize(
                ReferenceFloat.values(in: bytes, as: element),
                blockSize: format.blockSize,
                values: EightBitInput.codebook.values
            )
            memory.scales[0] = result.absmax[0]
        }
    }
}

/// `dequantize` from 8 bits by a map.
enum Dequantize8BitFamily: BenchmarkFamily {
    static func cases(size: Int) -> [BenchmarkCase] {
        EightBitInput.allCases.flatMap { format in
            format.elements.flatMap { element in
                Dequantize8BitKernel.supported.map { variant($0, format, element, size) }
                    + [reference(format, element)]
            }
        }
    }

    private static func variant(
        _ kernel: Dequantize8BitKernel,
        _ format: EightBitInput,
        _ element: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let codebook = EightBitInput.codebook
        let blockSize = format.blockSize
        let count = format.elementCount(size: size)
        return BenchmarkCase(
            "dequantize",
            format.rawValue,
            element,
            kernel: kernel,
            byteCount: count * element.byteCount
        ) { memory, workers in
            memory.dequantizeTiles(
                count,
                to: element,
                codeBitCount: 8,
                blockSize: blockSize,
                on: workers
            ) { codes, scales, output in
                kernel.dequantize(
                    codes: codes,
                    absmax: scales,
                    blockSize: blockSize,
                    values: codebook,
                    into: &output,
                    as: element,
                    streaming: format == .matrix
                )
            }
        }
    }

    private static func reference(
        _ format: EightBitInput,
        _ element: FloatDType
    ) -> BenchmarkCase {
        let count = 1 << 12
        return BenchmarkCase(
            reference: "dequantize",
            format.rawValue,
            element,
            elementCount: count
        ) { memory, _ in
            let elements = Reference8Bit.dequantize(
                codes: memory.codeBytes(count),
                absmax: Array(memory.scales.prefix(format.blockCount(count))),
                blockSize: format.blockSize,
                values: EightBitInput.codebook.values
            )
            let bytes = ReferenceFloat.bytes(of: elements, as: element)
            memory.scales[0] = bytes[0] == 255 ? 0.05 : memory.scales[0]
        }
    }
}
