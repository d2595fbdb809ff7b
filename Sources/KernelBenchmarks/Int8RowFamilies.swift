internal import Machine
internal import SIMDKernels
internal import Tensors

/// `quantize` to int8 with one scale a row.
enum QuantizeInt8RowsFamily: BenchmarkFamily {
    static func cases(size: Int) -> [BenchmarkCase] {
        FloatDType.allCases.flatMap { element in
            QuantizeInt8RowsKernel.supported.map { kernel in
                variant(kernel, element, size)
            } + [reference(element)]
        }
    }

    private static func variant(
        _ kernel: QuantizeInt8RowsKernel,
        _ element: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let rowCount = max(1, BenchmarkCase.tileElementCount / size)
        return BenchmarkCase("quantize", "int8", element, kernel: kernel, size: size) {
            memory,
            workers in
            memory.withQuantizationBuffers(
                inputByteCount: size * size * element.byteCount,
                codeByteCount: size * size,
                scaleCount: size
            ) { input, codes, scales in
                workers.perform(
                    writing: &codes,
                    every: rowCount * size,
                    and: &scales,
                    every: rowCount
                ) { index, _, codes, scales in
                    let start = index * rowCount * size * element.byteCount
                    let end = start + codes.byteCount * element.byteCount
                    kernel.quantize(
                        input.extracting(start..<end),
                        as: element,
                        rowCount: scales.count,
                        columnCount: size,
                        codes: &codes,
                        scales: &scales
                    )
                }
            }
        }
    }

    private static func reference(_ element: FloatDType) -> BenchmarkCase {
        let count = 1 << 14
        return BenchmarkCase(
            reference: "quantize",
            "int8",
            element,
            elementCount: count
        ) { memory, _ in
            let bytes = memory.inputBytes(count * element.byteCount)
            let result = ReferenceInt8Rows.quantize(
                ReferenceFloat.values(in: bytes, as: element),
                rowCount: 16,
                columnCount: count / 16
            )
            memory.scales[0] = result.scales[0]
        }
    }
}

/// `dequantize` from int8 with one scale a row.
enum DequantizeInt8RowsFamily: BenchmarkFamily {
    static func cases(size: Int) -> [BenchmarkCase] {
        FloatDType.allCases.flatMap { element in
            DequantizeInt8RowsKernel.supported.map { kernel in
                variant(kernel, element, size)
            } + [reference(element)]
        }
    }

    private static func variant(
        _ kernel: DequantizeInt8RowsKernel,
        _ element: FloatDType,
        _ size: Int
    ) -> BenchmarkCase {
        let rowCount = max(1, BenchmarkCase.tileElementCount / size)
        return BenchmarkCase("dequantize", "int8", element, kernel: kernel, size: size) {
            memory,
            workers in
            memory.withDequantizationBuffers(
                codeByteCount: size * size,
                scaleCount: size,
                outputByteCount: size * size * element.byteCount
            ) { codes, scales, output in
                workers.perform(writing: &output, every: rowCount * size * element.byteCount) {
                    index,
                    _,
                    output in
                    let start = index * rowCount
                    let end = start + output.byteCount / (size * element.byteCount)
                    kernel.dequantize(
                        codes: codes.extracting(start * size..<end * size),
                        scales: scales.extracting(start..<end),
                        rowCount: end - start,
                        columnCount: size,
                        into: &output,
                        as: element,
                        streaming: true
                    )
                }
            }
        }
    }

    private static func reference(_ element: FloatDType) -> BenchmarkCase {
        let count = 1 << 14
        return BenchmarkCase(
            reference: "dequantize",
            "int8",
            element,
            elementCount: count
        ) { memory, _ in
            let elements = ReferenceInt8Rows.dequantize(
                codes: memory.codeBytes(count).map { Int8(bitPattern: $0) },
                scales: Array(memory.scales.prefix(16)),
                rowCount: 16,
                columnCount: count / 16
            )
            let bytes = ReferenceFloat.bytes(of: elements, as: element)
            memory.scales[0] = bytes[0] == 255 ? 0.05 : memory.scales[0]
        }
    }
}
