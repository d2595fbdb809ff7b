internal import CSIMDKernels
package import Tensors

/// Turns blocks of elements into 4-bit codes and one scale a block.
///
/// The blockwise quantization of QLoRA (Dettmers et al. 2023, section 3). For each block of `blockSize` elements (the last may be short), with `a` the block's scale,
/// `v = fl(x · fl(1/a))`, or `fl(x / a)` where `fl(1/a)` is subnormal or not finite, and the code is
/// the codebook's for `v`. All codes of a block with a zero, infinite or NaN scale are the code of 0.
/// Two codes share a byte, the first in the high nibble; a last low nibble without element holds
/// the code of 0.
@safe
package struct Quantize4BitKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_quantize_4bit_entry

    package static let compiled = unsafe compiledEntries(qk_quantize_4bit_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Quantizes with the largest magnitude of each block as its scale.
    ///
    /// The maximum is that of the bits without sign, so a block with a NaN or an infinity has one as
    /// its scale: the caller looks for these.
    /// - Parameters:
    ///   - input: elements; their number `n` follows from the size.
    ///   - element: the type of the elements.
    ///   - blockSize: elements per scale, even.
    ///   - codebook: values, thresholds and rule.
    ///   - codes: receives `ceil(n / 2)` bytes, its exact size.
    ///   - absmax: receives `ceil(n / blockSize)` scales, its exact size.
    package func quantize(
        _ input: RawSpan,
        as element: FloatDType,
        blockSize: Int,
        codebook: Codebook4Bit,
        codes: inout MutableRawSpan,
        absmax: inout MutableSpan<Float>
    ) {
        let count = checkedCount(input, element, blockSize, scaleCount: absmax.count, codes)
        var cCodebook = codebook.cCodebook
        unsafe input.withUnsafeBytes { input in
            unsafe codes.withUnsafeMutableBytes { codes in
                unsafe absmax.withUnsafeMutableBufferPointer { absmax in
                    unsafe entry.function(
                        input.baseAddress,
                        element.cType,
                        count,
                        blockSize,
                        &cCodebook,
                        nil,
                        codes.baseAddress,
                        absmax.baseAddress
                    )
                }
            }
        }
    }

    /// Quantizes with given scales.
    ///
    /// - Parameters:
    ///   - input: finite elements; their number `n` follows from the size.
    ///   - element: the type of the elements.
    ///   - blockSize: elements per scale, even.
    ///   - codebook: values, thresholds and rule.
    ///   - scales: `ceil(n / blockSize)`, of any sign.
    ///   - codes: receives `ceil(n / 2)` bytes, its exact size.
    package func quantize(
        _ input: RawSpan,
        as element: FloatDType,
        blockSize: Int,
        codebook: Codebook4Bit,
        scales: Span<Float>,
        codes: inout MutableRawSpan
    ) {
        let count = checkedCount(input, element, blockSize, scaleCount: scales.count, codes)
        var cCodebook = codebook.cCodebook
        unsafe input.withUnsafeBytes { input in
            unsafe codes.withUnsafeMutableBytes { codes in
                unsafe scales.withUnsafeBufferPointer { scales in
                    unsafe entry.function(
                        input.baseAddress,
                        element.cType,
                        count,
                        blockSize,
                        &cCodebook,
                        scales.baseAddress,
                        codes.baseAddress,
                        nil
                    )
                }
            }
        }
    }

    private func checkedCount(
        _ input: RawSpan,
        _ element: FloatDType,
        _ blockSize: Int,
        scaleCount: Int,
        _ codes: borrowing MutableRawSpan
    ) -> Int {
        let count = input.byteCount / element.byteCount
        precondition(
            input.byteCount == count * element.byteCount,
            "\(input.byteCount) bytes are no whole number of \(element) elements"
        )
        BlockShape(count: count, blockSize: blockSize)
            .check(scaleCount: scaleCount, packedByteCount: codes.byteCount)
        return count
    }
}
