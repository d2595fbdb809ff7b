internal import CSIMDKernels
package import Tensors

/// Turns the rows of a matrix into int8 codes and one scale a row.
///
/// The weight quantization of LLM.int8 (Dettmers et al. 2022). Each element is first rounded to float16, `w = f16(x)`. Then `scale = max |w|` of the row,
/// `s = fl(fl(1/scale) · 127)` and the code is `fl(w · s)` rounded to an integer, ties to even. A row
/// whose scale is zero, infinite or NaN has codes 0.
@safe
package struct QuantizeInt8RowsKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_quantize_int8_rows_entry

    package static let compiled = unsafe compiledEntries(qk_quantize_int8_rows_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Quantizes a matrix.
    ///
    /// A row with a NaN or an infinity (also one that rounding to float16 made) has one as its scale:
    /// the caller looks for these.
    /// - Parameters:
    ///   - input: `[rowCount, columnCount]`, row-major.
    ///   - element: the type of the elements.
    ///   - rowCount: the number of rows.
    ///   - columnCount: the number of columns.
    ///   - codes: receives as many int8, row-major; its exact size.
    ///   - scales: receives `rowCount` scales, its exact size.
    package func quantize(
        _ input: RawSpan,
        as element: FloatDType,
        rowCount: Int,
        columnCount: Int,
        codes: inout MutableRawSpan,
        scales: inout MutableSpan<Float>
    ) {
        let shape = MatrixShape(rowCount: rowCount, columnCount: columnCount)
        shape.check(byteCount: input.byteCount, elementByteCount: element.byteCount)
        shape.check(byteCount: codes.byteCount, elementByteCount: 1)
        precondition(scales.count == rowCount, "\(scales.count) scales for \(rowCount) rows")
        unsafe input.withUnsafeBytes { input in
            unsafe codes.withUnsafeMutableBytes { codes in
                unsafe scales.withUnsafeMutableBufferPointer { scales in
                    unsafe entry.function(
                        input.baseAddress,
                        element.cType,
                        rowCount,
                        columnCount,
                        codes.baseAddress,
                        scales.baseAddress
                    )
                }
            }
        }
    }
}
