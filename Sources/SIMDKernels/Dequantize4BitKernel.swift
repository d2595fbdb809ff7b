internal import CSIMDKernels
package import Tensors

/// Turns 4-bit codes and their scales back into elements.
///
/// `out[i] = round(fl(values[code(i)] · absmax[i / blockSize]))`, the rounding that to the output's
/// type. Two codes share a byte, the first in the high nibble. A NaN comes out as the positive quiet
/// one without payload.
@safe
package struct Dequantize4BitKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_dequantize_4bit_entry

    package static let compiled = unsafe compiledEntries(qk_dequantize_4bit_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Dequantizes `count` elements.
    ///
    /// - Parameters:
    ///   - codes: exactly `ceil(count / 2)` bytes.
    ///   - absmax: exactly `ceil(count / blockSize)` scales.
    ///   - count: the number of elements.
    ///   - blockSize: elements per scale, even.
    ///   - values: the code table.
    ///   - output: receives exactly `count` elements.
    ///   - element: the type of the output's elements.
    ///   - streaming: whether to store past the caches: right for outputs much larger than them that
    ///     nobody reads soon. The bits are the same.
    package func dequantize(
        codes: RawSpan,
        absmax: Span<Float>,
        count: Int,
        blockSize: Int,
        values: Codebook4Bit,
        into output: inout MutableRawSpan,
        as element: FloatDType,
        streaming: Bool = false
    ) {
        BlockShape(count: count, blockSize: blockSize)
            .check(scaleCount: absmax.count, packedByteCount: codes.byteCount)
        precondition(
            output.byteCount / element.byteCount == count
                && output.byteCount % element.byteCount == 0,
            "\(output.byteCount) bytes of output for \(count) \(element) elements"
        )
        unsafe codes.withUnsafeBytes { codes in
            unsafe absmax.withUnsafeBufferPointer { absmax in
                unsafe output.withUnsafeMutableBytes { output in
                    unsafe values.values.withUnsafeBufferPointer { values in
                        unsafe entry.function(
                            codes.baseAddress,
                            absmax.baseAddress,
                            count,
                            blockSize,
                            values.baseAddress,
                            output.baseAddress,
                            element.cType,
                            streaming ? 1 : 0
                        )
                    }
                }
            }
        }
    }
}
