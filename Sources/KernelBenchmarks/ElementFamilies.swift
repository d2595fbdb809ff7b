internal import Machine
internal import SIMDKernels
internal import Tensors

/// `errors` between a matrix and its decoded form in float32; its bytes are those of both.
enum ErrorSumsFamily: BenchmarkFamily {
    static func cases(size: Int) -> [BenchmarkCase] {
        FloatDType.allCases.flatMap { element in
            ErrorSumsKernel.supported.map { variant($0, element, size) } + [reference(element)]
        }
    }

    private static func variant(
        _ kernel: ErrorSumsKernel,
        _ element: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let tile = BenchmarkCase.tileElementCount
        let count = size * size
        return BenchmarkCase(
            "errors",
            "float32",
            element,
            kernel: kernel,
            byteCount: count * (element.byteCount + 4)
        ) { memory, workers in
            let counts = memory.input.withBytes { original in
                memory.output.withBytes { decoded in
                    workers.map((count + tile - 1) / tile) { index, _ in
                        let range = index * tile..<min((index + 1) * tile, count)
                        let start = range.lowerBound * element.byteCount
                        let end = range.upperBound * element.byteCount
                        return kernel.sums(
                            original: original.extracting(start..<end),
                            as: element,
                            decoded: decoded.extracting(
                                range.lowerBound * 4..<range.upperBound * 4
                            ),
                            as: .float32
                        ).count
                    }
                }
            }
            precondition(counts.count == (count + tile - 1) / tile, "a tile is missing")
        }
    }

    private static func reference(_ element: FloatDType) -> BenchmarkCase {
        let count = 1 << 14
        return BenchmarkCase(
            reference: "errors",
            "float32",
            element,
            elementCount: count
        ) { memory, _ in
            let bytes = memory.inputBytes(count * element.byteCount)
            let values = ReferenceFloat.values(in: bytes, as: element)
            let sums = ReferenceErrorSums.sums(original: values, decoded: values.reversed())
            memory.scales[0] = sums.count == 0 ? 0 : memory.scales[0]
        }
    }
}

/// `finite`: counts NaN and infinity in a matrix; its bytes are those read.
enum CountNonFiniteFamily: BenchmarkFamily {
    static func cases(size: Int) -> [BenchmarkCase] {
        FloatDType.allCases.flatMap { element in
            CountNonFiniteKernel.supported.map { variant($0, element, size) } + [reference(element)]
        }
    }

    private static func variant(
        _ kernel: CountNonFiniteKernel,
        _ element: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let tile = BenchmarkCase.tileElementCount
        let count = size * size
        return BenchmarkCase(
            "finite",
            "count",
            element,
            kernel: kernel,
            byteCount: count * element.byteCount
        ) { memory, workers in
            let counts = memory.input.withBytes { input in
                workers.map((count + tile - 1) / tile) { index, _ in
                    let end = min((index + 1) * tile, count)
                    return kernel.count(
                        in: input.extracting(
                            index * tile * element.byteCount..<end * element.byteCount
                        ),
                        as: element
                    )
                }
            }
            precondition(counts.reduce(0, +) <= count, "more than there are")
        }
    }

    private static func reference(_ element: FloatDType) -> BenchmarkCase {
        let count = 1 << 14
        return BenchmarkCase(
            reference: "finite",
            "count",
            element,
            elementCount: count
        ) { memory, _ in
            let bytes = memory.inputBytes(count * element.byteCount)
            let values = ReferenceFloat.values(in: bytes, as: element)
            memory.scales[0] = values.contains { !$0.isFinite } ? 0 : memory.scales[0]
        }
    }
}

/// `convert` to each other type; its bytes are those read and written.
enum ConvertFloatFamily: BenchmarkFamily {
    static func cases(size: Int) -> [BenchmarkCase] {
        FloatDType.allCases.flatMap { target in
            FloatDType.allCases.filter { $0 != target }.flatMap { element in
                ConvertFloatKernel.supported.map { variant($0, element, target, size) }
                    + [reference(element, target)]
            }
        }
    }

    private static func variant(
        _ kernel: ConvertFloatKernel,
        _ element: FloatDType,
        _ target: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let tile = BenchmarkCase.tileElementCount
        let count = size * size
        return BenchmarkCase(
            "convert",
            "\(target)",
            element,
            kernel: kernel,
            byteCount: count * (element.byteCount + target.byteCount)
        ) { memory, workers in
            memory.withConversionBuffers(
                inputByteCount: count * element.byteCount,
                outputByteCount: count * target.byteCount
            ) { input, output in
                workers.perform(writing: &output, every: tile * target.byteCount) {
                    index,
                    _,
                    output in
                    let start = index * tile
                    let end = start + output.byteCount / target.byteCount
                    _ = kernel.convert(
                        input.extracting(start * element.byteCount..<end * element.byteCount),
                        as: element,
                        into: &output,
                        as: target
                    )
                }
            }
        }
    }

    private static func reference(
        _ element: FloatDType,
        _ target: FloatDType
    ) -> BenchmarkCase {
        let count = 1 << 14
        return BenchmarkCase(
            reference: "convert",
            "\(target)",
            element,
            elementCount: count
        ) { memory, _ in
            let bytes = memory.inputBytes(count * element.byteCount)
            let values = ReferenceFloat.values(in: bytes, as: element)
            let converted = ReferenceFloat.bytes(of: values, as: target)
            memory.scales[0] = converted.isEmpty ? 0 : memory.scales[0]
        }
    }
}
