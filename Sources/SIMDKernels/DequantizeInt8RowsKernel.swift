internal import CSIMDKernels
package import Tensors

/// Turns int8 codes and the scales of their rows back into elements.
///
/// `out[r, c] = round(fl(fl(code[r, c] · scale[r]) · fl(1/127)))`, the rounding that to the output's
/// type. A NaN comes out as the positive quiet one without payload.
@safe
package struct DequantizeInt8RowsKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_dequantize_int8_rows_entry

    package static let compiled = unsafe compiledEntries(qk_dequantize_int8_rows_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Dequantizes a matrix.
    ///
    /// - Parameters:
    ///   - codes: `[rowCount, columnCount]` int8, row-major.
    ///   - scales: one per row.
    ///   - rowCount: the number of rows.
    ///   - columnCount: the number of columns.
    ///   - output: receives as many elements, row-major; its exact size.
    ///   - element: the type of the output's elements.
    ///   - streaming: whether to store past the caches: right for outputs much larger than them that
    ///     nobody reads soon. The bits are the same.
    package func dequantize(
        codes: RawSpan,
        scales: Span<Float>,
        rowCount: Int,
        columnCount: Int,
        into output: inout MutableRawSpan,
        as element: FloatDType,
        streaming: Bool = false
    ) {
        let shape = MatrixShape(rowCount: rowCount, columnCount: columnCount)
        shape.check(byteCount: codes.byteCount, elementByteCount: 1)
        shape.check(byteCount: output.byteCount, elementByteCount: element.byteCount)
        precondition(scales.count == rowCount, "\(scales.count) scales for \(rowCount) rows")
        unsafe codes.withUnsafeBytes { codes in
            unsafe scales.withUnsafeBufferPointer { scales in
                unsafe output.withUnsafeMutableBytes { output in
                    unsafe entry.function(
                        codes.baseAddress,
                        scales.baseAddress,
                        rowCount,
                        columnCount,
                        output.baseAddress,
                        element.cType,
                        streaming ? 1 : 0
                    )
                }
            }
        }
    }
}
