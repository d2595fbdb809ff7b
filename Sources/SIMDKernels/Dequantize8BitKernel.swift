internal import CSIMDKernels
package import Tensors

/// Turns 8-bit codes of a map and their scales back into elements.
///
/// `out[i] = round(fl(values[codes[i]] · absmax[i / blockSize]))`, the rounding that to the output's
/// type. A NaN comes out as the positive quiet one without payload.
@safe
package struct Dequantize8BitKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_dequantize_8bit_entry

    package static let compiled = unsafe compiledEntries(qk_dequantize_8bit_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Dequantizes as many elements as there are codes.
    ///
    /// - Parameters:
    ///   - codes: `n` bytes.
    ///   - absmax: exactly `ceil(n / blockSize)` scales.
    ///   - blockSize: elements per scale, positive.
    ///   - values: the map.
    ///   - output: receives exactly `n` elements.
    ///   - element: the type of the output's elements.
    ///   - streaming: whether to store past the caches: right for outputs much larger than them that
    ///     nobody reads soon. The bits are the same.
    package func dequantize(
        codes: RawSpan,
        absmax: Span<Float>,
        blockSize: Int,
        values: Codebook8Bit,
        into output: inout MutableRawSpan,
        as element: FloatDType,
        streaming: Bool = false
    ) {
        let count = element.count(in: output.byteCount)
        checkBlocks(count, blockSize, scaleCount: absmax.count, codeCount: codes.byteCount)
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
