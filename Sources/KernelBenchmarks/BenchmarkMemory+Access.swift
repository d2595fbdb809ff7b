internal import Machine
internal import SIMDKernels
internal import Tensors

extension BenchmarkMemory {
    /// Calls `body` with the beginning of the input, the codes and the scales.
    mutating func withQuantizationBuffers(
        inputByteCount: Int,
        codeByteCount: Int,
        scaleCount: Int,
        _ body: (RawSpan, inout MutableRawSpan, inout MutableSpan<Float>) -> Void
    ) {
        input.withBytes { input in
            codes.withMutablePrefix(codeByteCount) { codes in
                unsafe scales.withUnsafeMutableBufferPointer { scales in
                    var span = unsafe scales.extracting(..<scaleCount).mutableSpan
                    body(input.extracting(0..<inputByteCount), &codes, &span)
                }
            }
        }
    }

    /// Calls `body` with the beginning of the codes, the scales and the output.
    mutating func withDequantizationBuffers(
        codeByteCount: Int,
        scaleCount: Int,
        outputByteCount: Int,
        _ body: (RawSpan, Span<Float>, inout MutableRawSpan) -> Void
    ) {
        codes.withBytes { codes in
            output.withMutablePrefix(outputByteCount) { output in
                unsafe scales.withUnsafeBufferPointer { scales in
                    let span = unsafe scales.extracting(..<scaleCount).span
                    body(codes.extracting(0..<codeByteCount), span, &output)
                }
            }
        }
    }

    /// Calls `body` with the beginning of the input and the output.
    mutating func withConversionBuffers(
        inputByteCount: Int,
        outputByteCount: Int,
        _ body: (RawSpan, inout MutableRawSpan) -> Void
    ) {
        input.withBytes { input in
            output.withMutablePrefix(outputByteCount) { output in
                body(input.extracting(0..<inputByteCount), &output)
            }
        }
    }

    /// Calls `body` with activations, a weight, outputs and scratch memory.
    ///
    /// The weight, its scales behind its codes, lies in the output buffer at a place that follows from the
    /// turn; the outputs lie where codes are otherwise.
    mutating func withProductBuffers(
        _ panels: PackedPanels,
        rows: Int,
        isTransposed: Bool = false,
        turn: Int,
        _ body: (
            Span<Float>, RawSpan, Span<Float>, inout MutableSpan<Float>, inout AlignedBuffer
        ) -> Void
    ) {
        let weightByteCount = panels.codeByteCount + 4 * panels.scaleCount
        let start = turn % max(1, output.byteCount / weightByteCount) * weightByteCount
        let inputs = isTransposed ? panels.rowCount : panels.columnCount
        let outputs = isTransposed ? panels.columnCount : panels.rowCount
        input.withFloats(rows * inputs) { x in
            output.withBytes { weights in
                codes.withMutableFloats(rows * outputs) { y in
                    let weight = weights.extracting(start..<start + weightByteCount)
                    let scales = weight.extracting(last: 4 * panels.scaleCount)
                    unsafe scales.withUnsafeBytes { scales in
                        let scales = unsafe Span<Float>(_unsafeBytes: scales)
                        body(
                            x,
                            weight.extracting(first: panels.codeByteCount),
                            scales,
                            &y,
                            &scratch
                        )
                    }
                }
            }
        }
    }

    /// Returns a copy of the first bytes of the input.
    func inputBytes(_ count: Int) -> [UInt8] {
        input.withBytes { bytes in
            unsafe bytes.withUnsafeBytes { unsafe Array($0.prefix(count)) }
        }
    }

    /// Returns a copy of the first codes.
    func codeBytes(_ count: Int) -> [UInt8] {
        codes.withBytes { bytes in
            unsafe bytes.withUnsafeBytes { unsafe Array($0.prefix(count)) }
        }
    }
}
